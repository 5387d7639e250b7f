"""The command line: `chainrule train`, `check`, `check-backward`, `derive`, `bench` and `info`; one file for each command, and no mathematics here.

The one idea: `main` is the border. A command either returns an exit code or raises; whatever it raises becomes one line
on stderr, never a stack of ours.

>>> main(["train", "no_such.csv", "--target", "price"])
2

Exit codes: 0 done; 1 a gradient could not be proved, or a file not be written; 2 something that was given cannot be used
(an option, a file, a value, a learning rate that diverges); 3 a mistake of ours; 130 interrupted.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from chainrule.cli.bench_command import bench
from chainrule.cli.check_backward_command import check_backward
from chainrule.cli.check_command import check
from chainrule.cli.derive_command import derive
from chainrule.cli.info_command import info, version
from chainrule.cli.train_command import train
from chainrule.errors import ChainruleError, GraphError

EPILOGUE = """\
Exit codes: 0 done; 1 a gradient could not be proved, or a file not be written; 2 an option, file or value that cannot
be used; 3 a mistake of ours; 130 interrupted.
"""

app = App(
    name="chainrule",
    help="A backpropagation compiler that you can read.",
    help_epilogue=EPILOGUE,
    help_format="markdown",
    version=version,
)
app.command(train)
app.command(check)
app.command(check_backward)
app.command(derive)
app.command(bench)
app.command(info)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; `argv` is what follows the program's name."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        command, bound, unparsed = app.parse_args(arguments, exit_on_error=False, print_error=False)
        if "command" in unparsed:
            bound.arguments["command"] = shlex.join(["chainrule", *arguments])
        return command(*bound.args, **bound.kwargs) or 0
    except KeyboardInterrupt:
        return _say("interrupted: nothing was written", 130)
    except CycloptsError as error:
        return _say(f"{str(error).rstrip('.')}; chainrule --help tells more", 2)
    except GraphError as error:
        return _say(error, 1)
    except ChainruleError as error:
        return _say(error, 2)
    except BrokenPipeError:
        return _closed_pipe()
    except OSError as error:
        return _say(error, 1)
    except Exception as error:
        if os.environ.get("CHAINRULE_TRACEBACK"):
            raise
        return _say(
            f"a mistake of ours: {type(error).__name__}: {error}. CHAINRULE_TRACEBACK=1 shows where; please report it",
            3,
        )


def _say(message: object, code: int) -> int:
    """One line on stderr, whatever the message looks like."""
    print("chainrule:", " ".join(str(message).split()), file=sys.stderr)
    return code


def _closed_pipe() -> int:
    """Whoever read our output has left, as `head` does: there is nobody to tell."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the interpreter flushes it at exit
    return 0
