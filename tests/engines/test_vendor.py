"""The code for TensorRT and pycuda against the vendors' own packages: every name and signature that it uses."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import streamdeblur
import streamdeblur.kernels
from streamdeblur.engines import tensorrt as package

VENDOR = os.environ.get("STREAMDEBLUR_VENDOR", "")
SOURCES = sorted(Path(package.__file__).parent.glob("*.py"))
LIBRARIES = ("nvinfer", "nvonnxparser", "nvinfer_plugin", "tensorrt_rtx", "tensorrt_onnxparser_rtx")
FUNCTIONS = (
    "createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL", "createNvOnnxParser_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL", "getBuilderPluginRegistry", "getPluginRegistry", "getNvOnnxParserVersion",
    "initLibNvInferPlugins",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not VENDOR or sys.platform != "linux", reason="STREAMDEBLUR_VENDOR names no folder of vendors' packages (CONTRIBUTING.md)"
)


def load_binding(wheel, folder):
    """Unpack a wheel of TensorRT's binding, with empty libraries in place of TensorRT's own; returns what it runs with."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    major = wheel.name.split("-")[1].split(".")[0]
    source = folder / "empty.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in FUNCTIONS))
    for library in LIBRARIES:
        name = f"lib{library}.so.{major}"
        command = ["cc", "-shared", "-fPIC", str(source), "-o", str(folder / name), f"-Wl,-soname,{name}"]
        subprocess.run(command, check=True, capture_output=True)
    return os.environ | {"LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(folder)}


def write_types(folder, environment, target, name="tensorrt"):
    """Write the types that the binding of a library declares as the stub of a package."""
    command = [sys.executable, "-m", "pybind11_stubgen", f"{name}_bindings.{name}", "-o", "types", "--ignore-all-errors"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)
    text = (folder / "types" / f"{name}_bindings" / f"{name}.pyi").read_text()
    text = re.sub(rf"{name}_bindings\.{name}\.?", "", text) + "\n__version__: str\n"
    # what the generator writes for a class that is declared after its use
    text = re.sub(r"def (create|get)_runtime_cache\(self\) -> \.\.\.:", r"def \1_runtime_cache(self) -> IRuntimeCache:", text)
    text = text.replace("cache: ... = None", "cache: IRuntimeCache | None = None")
    target.mkdir(parents=True, exist_ok=True)
    (target / "__init__.pyi").write_text(parseable(text))


def parseable(text):
    """The stub with signatures that take anything in place of those that are not valid Python."""
    lines = text.split("\n")
    while True:
        try:
            ast.parse("\n".join(lines))
        except SyntaxError as error:
            number = error.lineno - 1
            while not re.match(r"\s*def \w+\(", lines[number]):
                number -= 1
            begin = re.match(r"\s*def \w+\(", lines[number])[0]
            lines[number] = f"{begin}*args: typing.Any, **kwargs: typing.Any) -> typing.Any:"
        else:
            return "\n".join(lines)


def check_types(folder, code):
    """mypy's complaints about this package's engines, and about `code`, with the stubs in `folder`."""
    tree = folder / "streamdeblur"
    shutil.copytree(Path(streamdeblur.__file__).parent, tree, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    kernels = Path(streamdeblur.kernels.__file__).parent
    shutil.copytree(kernels, tree / "kernels", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (folder / "code_under_test.py").write_text(code)
    (folder / "mypy.ini").write_text(
        "[mypy]\nstrict = true\nignore_missing_imports = true\ndisable_error_code = import-untyped\nwarn_unused_ignores = false\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "-p", "streamdeblur.engines.tensorrt"]
    command += ["-m", "code_under_test", "--cache-dir", "cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | {"MYPYPATH": "."}, check=False)
    return [
        line for line in done.stdout.splitlines() if ": error:" in line and not line.startswith(("tensorrt/", "tensorrt_rtx/"))
    ]


WRONG = """
import tensorrt as trt


def wrong(builder: trt.Builder, config: trt.IBuilderConfig) -> None:
    builder.create_nettwork()
    config.set_timing_cache(builder)
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The folder in which types are checked, the same for all versions so that mypy caches NumPy's."""
    return tmp_path_factory.mktemp("checked")


@pytest.mark.parametrize("version", ["10.7.", "10.16.", "11."])
def test_every_name_and_signature_is_tensorrts_own(tmp_path, checked, version):
    wheels = sorted(Path(VENDOR).glob(f"tensorrt_cu12_bindings-{version}*.whl"))
    assert wheels, f"{VENDOR} has no binding of TensorRT {version}x"
    environment = load_binding(wheels[-1], tmp_path)
    shutil.rmtree(checked / "tensorrt", ignore_errors=True)
    write_types(tmp_path, environment, checked / "tensorrt")
    complaints = check_types(checked, WRONG)
    # mypy finds what is wrong where something is
    assert [line.split(":")[1] for line in complaints if line.startswith("code_under_test")] == ["6", "7", "7"]
    assert [line for line in complaints if not line.startswith("code_under_test")] == []


RTX = ("rtx_cu12_bindings-1.4.", "rtx_cu12_bindings-1.", "rtx_cu13_bindings-1.")
"""The oldest version that the extra allows, and the newest ones for both versions of CUDA."""


@pytest.mark.parametrize("version", RTX)
def test_every_name_and_signature_is_that_of_tensorrt_for_rtx(tmp_path, checked, version):
    """The code that both libraries share is checked against it, and what it alone has, too."""
    wheels = sorted(Path(VENDOR).glob(f"tensorrt_{version}*.whl"))
    assert wheels, f"{VENDOR} has no binding of TensorRT for RTX {version}x"
    environment = load_binding(wheels[-1], tmp_path)
    for name in ("tensorrt", "tensorrt_rtx"):
        shutil.rmtree(checked / name, ignore_errors=True)
        write_types(tmp_path, environment, checked / name, "tensorrt_rtx")
    wrong = WRONG + "\n\ndef also(config: trt.IRuntimeConfig) -> None:\n    config.set_runtime_cash(None)\n"
    complaints = check_types(checked, wrong)
    shutil.rmtree(checked / "tensorrt_rtx")
    assert [line.split(":")[1] for line in complaints if line.startswith("code_under_test")] == ["6", "7", "7", "11"]
    assert [line for line in complaints if not line.startswith("code_under_test")] == []


METHODS = {
    "Device": {"count", "name", "compute_capability", "retain_primary_context"},
    "Context": {"push", "pop"},
    "Stream": {"handle", "synchronize"},
    "Event": {"record", "synchronize"},
    "Module": {"get_function"},
    "Function": {"prepare", "prepared_async_call"},
    "DeviceAllocation": {"free", "__int__"},
    "HostAllocation": {"free"},
}
"""What the code calls on pycuda's objects."""


def test_every_name_is_pycudas_own(tmp_path):
    (sdist,) = Path(VENDOR).glob("pycuda-*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    wrapper = (root / "src/wrapper/wrap_cudadrv.cpp").read_text() + (root / "src/wrapper/mempool.cpp").read_text()
    declared = set(re.findall(r'"(\w+)"', wrapper)) | set(re.findall(r"DEF_SIMPLE_\w+\((\w+)", wrapper))
    declared |= set(re.findall(r"DECLARE_EXC\((\w+)", wrapper))
    declared |= set(re.findall(r"\b\w+\.(\w+) = \w+", (root / "pycuda/driver.py").read_text()))
    declared |= {"__int__"} if "__long__" in declared else set()
    text = "".join(source.read_text() for source in SOURCES)
    used = set(re.findall(r"(?<!kernels\.)\bcuda\.([A-Za-z]\w+)", text))
    methods = set().union(*METHODS.values())
    assert {"Stream", "Event", "pagelocked_empty", "memcpy_htod_async", "module_from_buffer"} <= used
    assert used | methods <= declared, sorted((used | methods) - declared)
