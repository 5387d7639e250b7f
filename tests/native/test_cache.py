"""Machine code on the disk: what is complete and matches is loaded, all else is compiled again."""

import json
import linecache
import os
import shutil
import subprocess
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

import pytest

import chainrule
from chainrule.errors import CompileError
from chainrule.native import cache, folder
from chainrule.native.cache import cache_info, clear_cache, entry_name, holds, is_warm, load

pytest.importorskip("numba")

SOURCE = """
from numba import float64, int64, njit

@njit((float64, int64), cache=True, nogil=True)
def power(x, n):
    y = 1.0
    for _ in range(n):
        y *= x
    return y
"""
# Loads in a process of its own, and prints what that gave and how often Numba compiled or read.
SCRIPT = """
import sys
from chainrule.native.cache import load
module = load(open(sys.argv[1]).read(), "kernel")
stats = module.power.stats
print(module.power(2.0, 10), sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), module.__file__)
"""
READ, COMPILED = "1024.0 1 0", "1024.0 0 1"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """An empty cache, in a process that has loaded nothing and warned of nothing."""
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_loaded", {})
    folder.warn_once.cache_clear()
    folder._temporary_folder.cache_clear()
    folder.evict_once.cache_clear()
    return tmp_path / "cache"


def start(tmp_path, *, script=SCRIPT, source=SOURCE, **environment):
    (tmp_path / "source.txt").write_text(source)
    path = os.pathsep.join([str(Path(chainrule.__file__).parents[1]), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "source.txt")],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(tmp_path, **options):
    process = start(tmp_path, **options)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip(), err


def entry_of(root, source=SOURCE):
    return root / entry_name(source, "kernel")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """An entry as another process left it."""
    tmp_path = tmp_path_factory.mktemp("compiled")
    out, err = run(tmp_path, CHAINRULE_CACHE_DIR=str(tmp_path / "cache"))
    assert out.startswith(COMPILED)
    assert err == ""
    return tmp_path / "cache"


@pytest.fixture
def warm(compiled, root):
    """A copy of that cache, for this test alone."""
    shutil.copytree(compiled, root)
    root.chmod(0o700)
    assert is_warm(SOURCE, "kernel")
    return entry_of(root)


def test_a_second_process_reads_machine_code_and_compiles_nothing(tmp_path, warm):
    out, err = run(tmp_path)
    assert out == f"{READ} {warm / warm.name}.py"
    assert err == ""


def test_an_entry_is_a_private_folder_with_the_source_the_machine_code_and_nothing_else(warm):
    assert (warm / f"{warm.name}.py").read_text() == SOURCE
    assert sorted(file.suffix for file in warm.iterdir()) == [".json", ".nbc", ".nbi", ".py"]
    assert os.name != "posix" or warm.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in warm.parent.iterdir()] == [warm.name]


def test_a_module_is_imported_once_even_by_threads_that_ask_at_once(root):
    modules = []
    threads = [threading.Thread(target=lambda: modules.append(load(SOURCE, "kernel"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(module) for module in modules}) == 1
    assert modules[0].power(2.0, 10) == 1024.0
    assert sum(modules[0].power.stats.cache_misses.values()) == 1
    assert sys.modules[modules[0].__name__] is modules[0]
    assert is_warm(SOURCE, "kernel")


def test_the_one_who_compiled_shows_the_file_that_is_there_in_the_end(root):
    module = load(SOURCE, "kernel")
    assert Path(module.__file__) == entry_of(root) / f"{entry_of(root).name}.py"
    assert module.power.py_func.__code__.co_filename == module.__file__
    assert linecache.getline(module.__file__, 5) == "def power(x, n):\n"


def test_two_processes_that_compile_at_once_both_end_right_and_leave_one_entry(tmp_path, root):
    waiting = 'import os, time\nwhile not os.path.exists("START"): time.sleep(0.005)\n'.replace(
        "START", str(tmp_path / "start").replace("\\", "/")
    )
    script = "import numba, chainrule.native.cache\n" + waiting + SCRIPT  # both have done all but the compilation
    processes = [start(tmp_path, script=script) for _ in range(2)]
    time.sleep(1.0)
    (tmp_path / "start").touch()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert out.startswith("1024.0")
        assert err == ""
    assert [path.name for path in root.iterdir()] == [entry_of(root).name]
    assert run(tmp_path)[0].startswith(READ)


def test_who_comes_second_leaves_the_first_ones_files(root):
    root.mkdir(mode=0o700)
    stem = entry_name(SOURCE, "kernel")
    building = cache.start_entry(root, SOURCE, stem)
    load(SOURCE, "kernel")
    before = {file.name: file.read_bytes() for file in entry_of(root).iterdir()}
    assert cache.build(building, SOURCE).power(2.0, 3) == 8.0
    assert {file.name: file.read_bytes() for file in entry_of(root).iterdir()} == before
    assert not building.exists()


def damage_source(entry):
    (entry / f"{entry.name}.py").write_text(SOURCE.replace("1.0", "7.0"))


def cut_source_short(entry):
    (entry / f"{entry.name}.py").write_text(SOURCE[:60])  # Numba looks lines up in the file that a function names


def damage_machine_code(entry):
    (path,) = entry.glob("*.nbc")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_machine_code_short(entry):
    (path,) = entry.glob("*.nbc")
    path.write_bytes(path.read_bytes()[:100])


def replace_index(entry):
    (path,) = entry.glob("*.nbi")
    path.write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")


def add_foreign_file(entry):
    (entry / "foreign.nbi").write_bytes(b"")


def take_checksums_away(entry):
    (entry / "checksums.json").unlink()


def write_foreign_checksums(entry):
    (entry / "checksums.json").write_text(json.dumps({f"{entry.name}.py": "0" * 64}))


def write_no_checksums(entry):
    (entry / "checksums.json").write_text("[")


def leave_a_file_in_place_of_the_folder(entry):
    shutil.rmtree(entry)
    entry.write_text("")


@pytest.mark.parametrize(
    "damage",
    [
        damage_source, cut_source_short, damage_machine_code, cut_machine_code_short, replace_index, add_foreign_file, take_checksums_away,
        write_foreign_checksums, write_no_checksums, leave_a_file_in_place_of_the_folder,
    ],
)  # fmt: skip
def test_what_is_damaged_is_neither_warm_nor_loaded_but_compiled_again(warm, damage):
    damage(warm)
    assert not is_warm(SOURCE, "kernel")
    module = load(SOURCE, "kernel")
    assert module.power(2.0, 10) == 1024.0
    assert sum(module.power.stats.cache_hits.values()) == 0
    assert is_warm(SOURCE, "kernel")
    assert [path.name for path in warm.parent.iterdir()] == [warm.name]


def test_machine_code_whose_checksums_were_forged_but_that_does_not_load_is_compiled_again(warm):
    cut_machine_code_short(warm)
    (warm / "checksums.json").write_text(json.dumps(cache._checksums(warm)))
    assert is_warm(SOURCE, "kernel")
    module = load(SOURCE, "kernel")
    assert module.power(2.0, 10) == 1024.0
    assert sum(module.power.stats.cache_misses.values()) == 1


def test_a_file_that_is_not_the_source_is_refused_although_its_checksum_is_right(warm):
    damage_source(warm)
    (warm / "checksums.json").write_text(json.dumps(cache._checksums(warm)))
    assert not is_warm(SOURCE, "kernel")
    assert load(SOURCE, "kernel").power(2.0, 10) == 1024.0
    assert (warm / f"{warm.name}.py").read_text() == SOURCE


def test_numbas_own_settings_of_its_folder_change_nothing(tmp_path, root):
    elsewhere = tmp_path / "elsewhere"
    both = {"NUMBA_CACHE_DIR": str(elsewhere), "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    assert run(tmp_path, **both)[0].startswith(COMPILED)
    assert holds(entry_of(root), SOURCE)
    assert run(tmp_path, NUMBA_CACHE_DIR=str(elsewhere))[0].startswith(READ)
    assert not elsewhere.exists()


def test_functions_of_others_are_kept_where_numba_would_keep_them(tmp_path, root):
    (tmp_path / "theirs.py").write_text(SOURCE)
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {SCRIPT.strip().splitlines()[0]}"
    script += "\nfrom chainrule.native.cache import load\nload(open(sys.argv[1]).read(), 'kernel')\nimport theirs"
    run(tmp_path, script=script, NUMBA_CACHE_DIR=str(tmp_path / "theirs"))
    assert len(list((tmp_path / "theirs").rglob("*.nbc"))) == 1


def test_a_function_that_a_module_imports_keeps_its_own_cache(tmp_path, root, monkeypatch):
    (tmp_path / "lazy_theirs.py").write_text(SOURCE.replace("(float64, int64), ", ""))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lazy_theirs", raising=False)
    assert load("from lazy_theirs import power", "importing").power._cache._enabled


def test_what_is_compiled_after_the_import_leaves_the_entry_as_it_is(tmp_path, root):
    lazy = SOURCE.replace("(float64, int64), ", "")
    for _ in range(2):
        assert run(tmp_path, source=lazy)[0].startswith("1024.0")
        assert holds(entry_of(root, lazy), lazy)
        assert not is_warm(lazy, "kernel")  # there is no machine code in it


@pytest.mark.parametrize("setting", ["NUMBA_OPT", "NUMBA_CPU_NAME", "NUMBA_BOUNDSCHECK"])
def test_settings_that_change_the_machine_code_have_entries_of_their_own(monkeypatch, setting):
    before = entry_name(SOURCE, "kernel")
    monkeypatch.setenv(setting, "1")
    assert entry_name(SOURCE, "kernel") != before


def test_the_version_of_chainrule_is_part_of_the_name(monkeypatch):
    before = entry_name(SOURCE, "kernel")
    monkeypatch.setattr(chainrule, "__version__", "0.0.0")
    cache._toolchain.cache_clear()
    try:
        assert entry_name(SOURCE, "kernel") != before
    finally:
        cache._toolchain.cache_clear()


@pytest.mark.parametrize("name", ["../../etc/passwd", "3 nets", "", "class", "größe" * 50])
def test_any_name_makes_a_safe_file_name(root, name):
    entry = entry_name("x = 1", name)
    assert folder.ENTRY.fullmatch(entry)
    assert len(entry) < 80
    module = load("x = 1", name)
    assert Path(module.__file__).parent.parent == root
    assert module.x == 1


def test_a_source_that_cannot_be_compiled_is_a_compile_error_and_leaves_nothing(root):
    wrong = SOURCE.replace("y *= x", "y *= unknown")
    before = set(sys.modules)
    with pytest.raises(CompileError, match=r"kernel could not be compiled: .*unknown") as caught:
        load(wrong, "kernel")
    assert len(str(caught.value)) < 400
    assert caught.value.__cause__ is not None
    assert list(root.iterdir()) == []
    assert not [name for name in set(sys.modules) - before if name.startswith("chainrule_")]


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX")
def test_a_folder_that_others_can_write_to_is_not_used(root):
    root.mkdir()
    root.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="can be written by other users"):
        module = load(SOURCE, "kernel")
    assert module.power(2.0, 10) == 1024.0
    assert list(root.iterdir()) == []
    kept = Path(module.__file__).parents[1]
    assert kept != root
    assert kept.stat().st_mode & 0o777 == 0o700
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the warning comes once
        assert is_warm(SOURCE, "kernel")


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX")
def test_a_folder_of_somebody_else_is_not_used(root, monkeypatch):
    root.mkdir(mode=0o700)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        assert cache_info().folder != root


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX")
def test_a_new_folder_is_private(root):
    assert cache_info() == (root, 0, 0)
    assert root.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX")
def test_a_read_only_folder_is_read_but_what_it_lacks_is_compiled_in_memory(warm):
    warm.parent.chmod(0o500)
    if os.access(warm.parent, os.W_OK):
        pytest.skip("the superuser may write to a read-only folder")
    assert sum(load(SOURCE, "kernel").power.stats.cache_hits.values()) == 1
    with pytest.warns(RuntimeWarning, match="machine code is not kept"):
        assert load(SOURCE + "\n", "kernel").power(2.0, 10) == 1024.0
    warm.parent.chmod(0o700)


def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one_that_ends_with_the_process(tmp_path, root):
    root.write_text("a file in its way")
    out, err = run(tmp_path)
    assert out.startswith(COMPILED)
    assert "machine code is not kept" in err
    kept = Path(out.split()[-1])
    assert not kept.parents[1].exists()


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX")
@pytest.mark.parametrize("limit", [0, 2000], ids=["from the start", "during the compilation"])
def test_a_full_disk_costs_a_warning_and_not_the_result(tmp_path, root, limit):
    script = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n" + SCRIPT
    out, err = run(tmp_path, script=script)
    assert out.startswith("1024.0 0 ")
    assert "machine code is not kept" in err
    assert list(root.iterdir()) == []


def test_a_traceback_from_memory_shows_the_line(monkeypatch):
    monkeypatch.setattr(cache, "cache_folder", lambda: None)
    module = load("def fail():\n    raise KeyError  # on purpose\n", "failing")
    with pytest.raises(KeyError) as caught:
        module.fail()
    assert "on purpose" in "".join(traceback.format_exception(caught.value))


def test_a_numba_that_does_not_ask_is_used_without_the_disk(root, monkeypatch):
    from numba.core import caching

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", None)
    with pytest.warns(RuntimeWarning, match="does not let its machine code be placed"):
        assert load(SOURCE, "kernel").power(2.0, 10) == 1024.0
    assert list(root.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")
def test_a_fork_loads_although_a_thread_of_its_parent_held_the_lock(tmp_path, warm):
    script = """
import os, sys, threading
from chainrule.native import cache
held = threading.Event()
def hold():
    with cache._lock:
        held.set()
        threading.Event().wait(5)
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    os._exit(0 if cache.load(open(sys.argv[1]).read(), "kernel").power(2.0, 3) == 8.0 else 1)
print(os.waitpid(child, 0)[1])
"""
    assert run(tmp_path, script=script)[0] == "0"


def test_the_default_folder_is_the_platforms(monkeypatch, tmp_path):
    monkeypatch.delenv("CHAINRULE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for platform, expected in (
        ("linux", tmp_path / "chainrule"),
        ("win32", tmp_path / "chainrule"),
        ("darwin", tmp_path / "home" / "Library" / "Caches" / "chainrule"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        if os.name == "posix" or platform == "win32":
            assert folder.configured_folder() == expected
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the XDG specification
    assert os.name != "posix" or folder.configured_folder() == tmp_path / "home" / ".cache" / "chainrule"


def test_clear_cache_deletes_entries_and_nothing_else(warm):
    (warm.parent / f".{warm.name}.abc123").mkdir()
    (warm.parent / "mine").mkdir()
    info = cache_info()
    assert info.entries == 1
    assert info.bytes == sum(file.stat().st_size for file in warm.iterdir())
    assert clear_cache() == info
    assert [path.name for path in warm.parent.iterdir()] == ["mine"]
    assert cache_info().entries == 0


def made(root, name, days, size=1000):
    """An entry last used so many days ago."""
    entry = root / f"{name}_{'0' * 32}"
    entry.mkdir(parents=True)
    (entry / "data.nbc").write_bytes(bytes(size))
    (entry / folder.CHECKSUMS).write_bytes(b"")
    used = time.time() - days * 86_400
    os.utime(entry / folder.CHECKSUMS, (used, used))
    return entry


def test_entries_that_nobody_used_for_ninety_days_are_deleted(root):
    old, young = made(root, "old", 91), made(root, "young", 89)
    folder.evict(root)
    assert (old.exists(), young.exists()) == (False, True)


def test_beyond_the_limit_the_least_recently_used_go_first(root):
    entries = [made(root, f"e{days}", days) for days in range(4)]
    folder.evict(root, limit=2500)
    assert [entry.exists() for entry in entries] == [True, True, False, False]


def test_what_a_killed_process_left_goes_after_a_day(root):
    stem = entry_name(SOURCE, "kernel")
    old, young = root / f".{stem}.old", root / f".{stem}.young"
    for path in (old, young):
        path.mkdir(parents=True)
    os.utime(old, (time.time() - 90_000,) * 2)
    folder.evict(root)
    assert (old.exists(), young.exists()) == (False, True)


def test_to_compile_evicts_once_and_to_load_counts_as_use(root, compiled):
    old = made(root, "old", 91)
    root.chmod(0o700)
    load("x = 1", "first")
    assert not old.exists()
    old = made(root, "old", 91)
    load("x = 2", "second")
    assert old.exists()  # once per process
    shutil.copytree(entry_of(compiled), entry_of(root))
    used = entry_of(root) / folder.CHECKSUMS
    os.utime(used, (0, 0))
    load(SOURCE, "kernel")
    assert time.time() - used.stat().st_mtime < 60
