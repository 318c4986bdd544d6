"""`crossbuf.isolation`: what is enabled where, and every reason for which it is refused."""

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from on_a_thread import on_a_thread

import crossbuf
from crossbuf import _finders, isolation

pytest.importorskip("numpy")
from_313 = pytest.mark.skipif(sys.version_info < (3, 13), reason="isolation needs CPython 3.13")

Elsewhere = Callable[..., None]


def refusal(elsewhere: Elsewhere, code: str) -> str:
    """The last line of the IsolationError that the code raises in another interpreter."""
    with pytest.raises(crossbuf.ExecutionFailed, match="IsolationError") as caught:
        elsewhere(f"from crossbuf import isolation\n{code}")
    last = str(caught.value).strip().splitlines()[-1]
    assert last.startswith("crossbuf.errors.IsolationError: ")
    return last.removeprefix("crossbuf.errors.IsolationError: ")


@from_313
def test_numpy_is_there_once_enabled(elsewhere) -> None:
    elsewhere("""
import sys
from crossbuf import isolation
assert isolation.obstacle("numpy") is None
isolation.enable("numpy")
isolation.enable("numpy")
import numpy as np
assert np.linalg.norm(np.ones(4)) == 2
isolation.enable("numpy")

status = isolation.status()
assert status.interpreter != 0
assert status.packages == {"numpy": np.__version__}
assert "numpy._core._multiarray_umath" in [module.name for module in status.modules]
assert status.bytes == sum(module.bytes for module in status.modules) > 5_000_000
core = sys.modules["numpy._core._multiarray_umath"]
assert core.__file__ == core.__spec__.origin == status.modules[0].path
""")


def test_what_workers_load_by_themselves_is_tested() -> None:
    assert tuple(isolation.TESTED) == _finders.ON_DEMAND


def test_the_main_interpreter_needs_nothing() -> None:
    before = list(sys.meta_path)
    isolation.enable("numpy")
    isolation.enable("polars", untested=True)
    assert sys.meta_path == before
    assert isolation.status() == (0, {}, (), 0)


@from_313
def test_the_main_interpreter_tells_what_others_would_meet() -> None:
    assert isolation.obstacle("numpy") is None
    assert "threads of its own" in isolation.obstacle("polars")


def test_an_error_is_an_import_error() -> None:
    assert issubclass(crossbuf.IsolationError, ImportError)
    assert issubclass(crossbuf.IsolationError, crossbuf.Error)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="isolation works here")
def test_312_is_refused(elsewhere) -> None:
    assert "needs CPython 3.13, 3.14 or 3.15 with a GIL, and this is cpython 3.12" in refusal(elsewhere, "isolation.enable('numpy')")


@from_313
class TestRefused:
    def test_without_being_enabled_cpython_says_so(self, elsewhere) -> None:
        with pytest.raises(crossbuf.ExecutionFailed, match="does not support loading in subinterpreters"):
            elsewhere("import numpy")

    @pytest.mark.parametrize("package", ["polars", "pyarrow", "numba", "llvmlite", "grpc"])
    def test_packages_that_would_break(self, elsewhere, package) -> None:
        assert "nothing helps but a process of its own" in refusal(elsewhere, f"isolation.enable('{package}', untested=True)")

    def test_packages_that_nobody_tested(self, elsewhere) -> None:
        text = refusal(elsewhere, "isolation.enable('pytest')")
        assert "pytest is not among the packages that are tested so (numpy, scipy, pandas)" in text
        assert "untested=True" in text

    def test_none_is_enabled_when_one_is_refused(self, elsewhere) -> None:
        elsewhere("""
from crossbuf import isolation
try:
    isolation.enable("numpy", "polars")
except ImportError:
    assert isolation.status().packages == {}
else:
    raise AssertionError
""")

    def test_packages_that_are_not_installed(self, elsewhere) -> None:
        assert "nowhere is not found in sys.path [" in refusal(elsewhere, "isolation.enable('nowhere', untested=True)")

    def test_what_is_no_package_name(self, elsewhere) -> None:
        with pytest.raises(crossbuf.ExecutionFailed, match=r'as "numpy", not \'numpy\.linalg\''):
            elsewhere("from crossbuf import isolation; isolation.enable('numpy.linalg')")

    def test_packages_that_are_imported_already(self, elsewhere) -> None:
        text = refusal(elsewhere, "import email; isolation.enable('email', untested=True)")
        assert "email is imported in this interpreter already; call enable before" in text

    @pytest.mark.parametrize("word", ["off", "OFF", "0", "no", "No", "false", "False"])
    def test_the_environment_forbids_it(self, elsewhere, monkeypatch, word) -> None:
        monkeypatch.setenv("CROSSBUF_ISOLATION", word)
        assert f"the environment variable CROSSBUF_ISOLATION is {word}" in refusal(elsewhere, "isolation.enable('numpy')")
        assert f"CROSSBUF_ISOLATION is {word}" in isolation.obstacle("numpy")

    @pytest.mark.parametrize("word", ["", "on", "1", "Yes", "TRUE"])
    def test_the_environment_allows_it(self, monkeypatch, word) -> None:
        monkeypatch.setenv("CROSSBUF_ISOLATION", word)
        assert isolation.obstacle("numpy") is None

    def test_a_word_that_nobody_knows_is_no_permission(self, monkeypatch) -> None:
        monkeypatch.setenv("CROSSBUF_ISOLATION", "fo")
        assert "is 'fo', which is neither on (on, 1, yes, true) nor off (off, 0, no, false)" in isolation.obstacle("numpy")

    def test_an_import_that_is_refused_says_why(self, elsewhere, monkeypatch) -> None:
        """As workers see it, where packages are enabled when they are imported."""
        monkeypatch.setenv("CROSSBUF_ISOLATION", "off")
        with pytest.raises(
            crossbuf.ExecutionFailed, match=r"IsolationError: .*private copy either: the environment variable CROSSBUF_ISOLATION is off"
        ):
            elsewhere("from crossbuf import isolation; isolation.enable_on_demand(); import numpy._core._multiarray_umath")

    def test_interpreters_that_share_the_gil(self) -> None:
        import _interpreters

        def live() -> str:
            shared = _interpreters.create("legacy")
            try:
                code = f"import sys; sys.path[:] = {sys.path!r}\nfrom crossbuf import isolation; isolation.enable('numpy')"
                return str(_interpreters.exec(shared, code).errdisplay)
            finally:
                _interpreters.destroy(shared)

        assert "this interpreter shares the main one's GIL and memory" in on_a_thread(live)

    @pytest.mark.parametrize("version", ["2.3.5", "9.1.0"])
    def test_versions_that_nobody_tested(self, elsewhere, tmp_path, monkeypatch, version) -> None:
        (tmp_path / "numpy").mkdir()
        (tmp_path / "numpy" / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
        assert "numpy is tested from 2.4 to 2.5, and its version is not known" in refusal(elsewhere, "isolation.enable('numpy')")
        (tmp_path / f"numpy-{version}.dist-info").mkdir()
        assert f"numpy is tested from 2.4 to 2.5, and this is {version}" in refusal(elsewhere, "isolation.enable('numpy')")
        elsewhere(f"""
import warnings
from crossbuf import isolation
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    isolation.enable("numpy", untested=True)
    isolation.enable("numpy", untested=True)
assert [warning.category for warning in caught] == [RuntimeWarning]
assert "this is {version}" in str(caught[0].message)
""")


@from_313
class TestRefusedModules:
    """Extension modules that cannot be copied, made for the purpose."""

    @pytest.fixture
    def build(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
        """Compiles the package `made` with a module of that name and C code."""
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no C compiler")
        package = tmp_path / "made"
        package.mkdir()
        (package / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)

        def compiled(name: str, code: str, *options: str) -> Path:
            path = package / f"{name}.so"
            (package / f"{name}.c").write_text(textwrap.dedent(code))
            subprocess.run([compiler, "-shared", "-fPIC", "-o", path, f"{name}.c", *options], cwd=package, check=True)
            return path

        return compiled

    def import_it(self, elsewhere: Elsewhere, name: str) -> str:
        code = f"import warnings; warnings.simplefilter('ignore'); isolation.enable('made', untested=True)\nimport made.{name}"
        return refusal(elsewhere, code)

    def test_single_phase(self, elsewhere, build) -> None:
        build("single", 'void *PyModule_New(char *); void *PyInit_single() { return PyModule_New("single"); }')
        assert "is initialized in a single phase" in self.import_it(elsewhere, "single")

    def test_no_init_function(self, elsewhere, build) -> None:
        path = build("mute", "int other() { return 1; }")
        assert f"{path} has no function PyInit_mute" in self.import_it(elsewhere, "mute")

    def test_no_library_at_all(self, elsewhere, build) -> None:
        path = build("junk", "int other() { return 1; }")
        path.write_text("this is no library")
        assert f"{path} cannot be read: " in self.import_it(elsewhere, "junk")

    def test_scarce_thread_local_variables(self, elsewhere, build) -> None:
        code = '__thread int x __attribute__((tls_model("initial-exec"))); void *PyInit_scarce() { x = 1; return 0; }'
        build("scarce", code)
        assert "DF_STATIC_TLS" in self.import_it(elsewhere, "scarce")

    def test_a_library_of_its_own_that_uses_python(self, elsewhere, build) -> None:
        build("libhelper", "void *PyList_New(long); void *help() { return PyList_New(1); }")
        build("helped", "void *help(); void *PyInit_helped() { return help(); }", "-L.", "-l:libhelper.so", "-Wl,-rpath,$ORIGIN")
        assert "libhelper.so uses Python (PyList_New) and is no extension module" in self.import_it(elsewhere, "helped")

    def test_a_library_that_is_missing(self, elsewhere, build) -> None:
        helper = build("libgone", "int help() { return 1; }")
        build("alone", "int help(); void *PyInit_alone() { return (void *)(long) help(); }", "-L.", "-l:libgone.so")
        helper.unlink()
        assert "libgone.so: cannot open shared object file" in self.import_it(elsewhere, "alone")

    def test_a_module_visible_in_the_whole_process(self, elsewhere, build) -> None:
        import ctypes

        path = build("public", "void *PyInit_public() { return 0; }")
        ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
        assert "PyInit_public is visible in the whole process" in self.import_it(elsewhere, "public")

    def test_what_its_initialization_raises_is_raised(self, elsewhere, build) -> None:
        code = """
            extern void *PyExc_LookupError;
            void PyErr_SetString(void *, char *);
            void *PyInit_raises() { PyErr_SetString(PyExc_LookupError, "no luck"); return 0; }"""
        build("raises", code)
        with pytest.raises(crossbuf.ExecutionFailed, match="LookupError: no luck"):
            elsewhere("""
import warnings; warnings.simplefilter("ignore")
from crossbuf import isolation
isolation.enable("made", untested=True)
import made.raises
""")


@from_313
def test_copies_of_a_running_interpreter_stay() -> None:
    from crossbuf._core import _interpreter_closed

    with pytest.raises(RuntimeError, match="interpreter 0 runs this call"):
        _interpreter_closed(0)
    assert _interpreter_closed(10**9) == 0
