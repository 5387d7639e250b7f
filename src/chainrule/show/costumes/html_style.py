"""How a page looks: light, dark, on paper; no font, picture or script is loaded.

The one idea: everything is below one class, so a fragment in a notebook changes nothing else there.
"""

from __future__ import annotations

STYLE = """
.chainrule { color-scheme: light dark; --ink: #1b1f24; --quiet: #59636e; --line: #d1d9e0; --paper: #ffffff;
  --soft: #f4f6f8; --accent: #005a9c; color: var(--ink); background: var(--paper); line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; font-size: 1rem; }
@media (prefers-color-scheme: dark) {
  .chainrule { --ink: #e6e9ec; --quiet: #9aa5b1; --line: #3a424c; --paper: #14171b; --soft: #1e2329; --accent: #7cc0ff; } }
body.chainrule { margin: 0; }
.chainrule main, div.chainrule { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem; }
div.chainrule { padding: 0.5rem 0.75rem; margin: 0; }
.chainrule h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
.chainrule h2 { font-size: 1.3rem; margin: 2rem 0 0.6rem; padding-bottom: 0.2rem; border-bottom: 1px solid var(--line); }
.chainrule h3, .chainrule h4 { font-size: 1.05rem; margin: 1.4rem 0 0.5rem; }
.chainrule p { margin: 0.7rem 0; overflow-wrap: anywhere; }
.chainrule math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", "Noto Sans Math", math; font-size: 1.1em; }
.chainrule math .ones { font-weight: bold; }
.chainrule math .shape { font-size: 0.65em; color: var(--quiet); }
.chainrule math .code, .chainrule code, .chainrule pre { font-family: ui-monospace, Consolas, "DejaVu Sans Mono", monospace; }
.chainrule code { font-size: 0.92em; background: var(--soft); border-radius: 3px; padding: 0.05em 0.25em; overflow-wrap: anywhere; }
.chainrule pre { background: var(--soft); padding: 0.8rem 1rem; border-radius: 6px; overflow-x: auto; line-height: 1.4; }
.chainrule pre code { background: none; padding: 0; overflow-wrap: normal; }
.chainrule .scroll { overflow-x: auto; overflow-y: hidden; margin: 0.8rem 0; padding: 0.25rem 0; }
.chainrule table { border-collapse: collapse; background: none; color: inherit; font-size: inherit; margin: 0; border: 0; }
.chainrule table tr, .chainrule table tr:nth-child(even), .chainrule table tr:hover { background: none; }
.chainrule .equations td { padding: 0.3rem 0; vertical-align: baseline; text-align: left; border: 0; }
.chainrule .equations td.left { text-align: right; padding-left: 0.75rem; white-space: nowrap; }
.chainrule .equations td.is { padding: 0.3rem 0.5em; }
.chainrule .equations td.right, .chainrule .equations td.space { white-space: nowrap; }
.chainrule .equations td.space { padding-left: 2rem; color: var(--quiet); }
.chainrule .equations td.remark { padding-left: 2rem; min-width: 12rem; white-space: normal; }
.chainrule .remark { color: var(--quiet); font-size: 0.9em; }
.chainrule .cells th, .chainrule .cells td { border: 1px solid var(--line); padding: 0.3rem 0.7rem; text-align: left;
  vertical-align: top; }
.chainrule .cells th { background: var(--soft); }
.chainrule .numbers { margin: 0; }
.chainrule .numbers caption { text-align: left; padding-bottom: 0.3rem; caption-side: top; color: inherit; white-space: nowrap; }
.chainrule .numbers th, .chainrule .numbers td { padding: 0.15rem 0.55rem; text-align: right; border: 0;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.chainrule .numbers th { color: var(--quiet); font-weight: 500; }
.chainrule .numbers td:first-of-type { border-left: 1.5px solid var(--ink); }
.chainrule .numbers td:last-of-type { border-right: 1.5px solid var(--ink); }
.chainrule .beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1.5rem; }
.chainrule .beside > div { border: 1px solid var(--line); border-radius: 6px; padding: 0.2rem 1rem 0.6rem; min-width: 0; }
.chainrule figure { margin: 1rem 0; } .chainrule figure img { max-width: 100%; height: auto; }
.chainrule figcaption { color: var(--quiet); font-size: 0.9em; }
.chainrule details { margin: 1rem 0; border: 1px solid var(--line); border-radius: 6px; padding: 0.4rem 1rem; }
.chainrule summary { cursor: pointer; font-weight: 600; } .chainrule summary:focus-visible { outline: 2px solid var(--accent); }
@media (max-width: 46rem) {
  .chainrule .equations td.remark { display: block; padding: 0 0 0.4rem; }
  .chainrule .equations tr { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.2rem; }
  .chainrule .equations td.left { padding-left: 0; } .chainrule .equations td.space { padding-left: 1rem; }
  .chainrule .equations td.remark { flex-basis: 100%; } }
@media print {
  .chainrule { --ink: #000; --quiet: #333; --line: #999; --paper: #fff; --soft: #fff; color-scheme: light; }
  .chainrule main { max-width: none; padding: 0; } .chainrule .scroll, .chainrule pre { overflow: visible; }
  .chainrule h2, .chainrule h3 { break-after: avoid; } .chainrule tr, .chainrule figure { break-inside: avoid; }
  .chainrule details { border: 0; padding: 0; } .chainrule details::details-content { content-visibility: visible; } }
"""
