"""What MicroPython on the ESP8266 lacks, told from source text; two lints use it.

The chip's own configuration (ports/esp8266/mpconfigport.h) switches off what the Unix build has, so
tests that run there do not see it.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

# No type of MicroPython has these methods.
NOWHERE = {
    "as_integer_ratio",
    "bit_count",
    "bit_length",
    "capitalize",
    "casefold",
    "conjugate",
    "expandtabs",
    "format_map",
    "isalnum",
    "isascii",
    "isdecimal",
    "isidentifier",
    "isnumeric",
    "isprintable",
    "istitle",
    "ljust",
    "maketrans",
    "removeprefix",
    "removesuffix",
    "rjust",
    "swapcase",
    "title",
    "tobytes",
    "tolist",
    "translate",
    "zfill",
}
# The Unix build has these, the chip does not.
NOT_ON_THE_CHIP = {
    "center",
    "choice",
    "crc32",
    "exc_info",
    "getsizeof",
    "groups",
    "indices",
    "partition",
    "randint",
    "rpartition",
    "span",
    "splitlines",
    "uniform",
}
ABSENT_METHODS = NOWHERE | NOT_ON_THE_CHIP
# Builtins of CPython that no MicroPython has; an except clause meets them only when it is too late.
ABSENT_BUILTINS = {
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "EnvironmentError",
    "ExceptionGroup",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "IOError",
    "InterruptedError",
    "IsADirectoryError",
    "ModuleNotFoundError",
    "NotADirectoryError",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "ReferenceError",
    "SystemError",
    "TabError",
    "TimeoutError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeTranslateError",
    "Warning",
    "aiter",
    "anext",
    "ascii",
    "breakpoint",
    "exit",
    "format",
    "quit",
    "vars",
}
# The Unix build has these, the chip does not.
ABSENT_NAMES = ABSENT_BUILTINS | {"NotImplemented", "__file__", "compile", "complex", "execfile"}
# Modules whose stub mixes in CPython's names; from extmod/mod*.c, py/mod*.c and mpconfigport.h.
NAMES = {
    "array": {"array"},
    "collections": {"OrderedDict", "deque", "namedtuple"},
    "io": {"BytesIO", "IOBase", "StringIO", "open"},
    "json": {"dump", "dumps", "load", "loads"},
    "os": {
        "chdir",
        "dupterm",
        "dupterm_notify",
        "getcwd",
        "ilistdir",
        "listdir",
        "mkdir",
        "remove",
        "rename",
        "rmdir",
        "sep",
        "stat",
        "statvfs",
        "uname",
        "unlink",
        "urandom",
    },
    "re": {"compile", "match", "search", "sub"},
    "struct": {"calcsize", "pack", "pack_into", "unpack", "unpack_from"},
    "sys": {
        "argv",
        "byteorder",
        "exit",
        "implementation",
        "maxsize",
        "modules",
        "path",
        "platform",
        "print_exception",
        "stderr",
        "stdin",
        "stdout",
        "version",
        "version_info",
    },
}
# In the stubs, not on the chip, with the source that says so.
STUBS_SAY_TOO_MUCH = {
    "esp": {f"LOG_{level}" for level in ("NONE", "ERROR", "WARNING", "INFO", "DEBUG", "VERBOSE")},
    # ports/esp8266/modmachine.c; MICROPY_PY_MACHINE_ADC_BLOCK and _SDCARD are off.
    "machine": {"IDLE", "SLEEP", "WLAN_WAKE", "PIN_WAKE", "RTC_WAKE", "ATTN_0DB", "ID_T"}
    | {"ADCBlock", "ADCWiPy", "SDCard"},
    "math": {"e", "pi"},  # MICROPY_PY_MATH_CONSTANTS (0)
    # Viper and native code run on one interpreter only, and const is not compiled as one.
    "micropython": {"asm_thumb", "asm_xtensa", "const", "native", "viper"},
    "network": {"AbstractNIC", "LAN", "WLANWiPy"},  # ports/esp8266/modnetwork_globals.h
    "socket": {"AF_INET6", "IPPROTO_SEC", "IPPROTO_UDP", "Socket"},  # extmod/modlwip.c
    "vfs": {"AbstractBlockDev", "VfsFat"},  # FLASH_1M has LittleFS 2 only
}
# On the chip, not in the stubs, with the source that says so.
STUBS_SAY_TOO_LITTLE: dict[str, set[str]] = {}
ALLOWED_DECORATORS = {"property", "staticmethod", "classmethod"}


def faults_of(node: ast.AST) -> list[str]:
    """What in this one node the chip would refuse, or has not got."""
    match node:
        case ast.ImportFrom(names=[ast.alias(name="*"), *_]):
            return ["from … import *"]
        case ast.Constant(value=complex()):
            return [f"the complex number {node.value}"]
        case ast.BinOp(op=ast.MatMult()):
            return ["matrix product"]
        case ast.Name(id=name) if name in ABSENT_NAMES:
            return [name]
        case ast.Attribute(attr=name) if name in ABSENT_METHODS:
            return [f".{name}"]
        case ast.Call(func=ast.Name(id="pow"), args=[_, _, _]):
            return ["pow with 3 arguments"]
        case ast.Call(func=ast.Attribute(attr="dumps" | "dump"), keywords=[_, *_]):
            return ["json.dumps with keywords"]
        case ast.Call(func=ast.Attribute(attr="to_bytes" | "from_bytes"), keywords=[_, *_]):
            return ["int bytes with keywords"]
        case ast.Call(func=ast.Attribute(attr="decode" | "encode" as name), args=[_, _, *_]):
            return [f".{name} with a way to treat errors: it is not obeyed, and raises"]
        case ast.Call(func=ast.Attribute(attr="decode" | "encode" as name), keywords=[_, *_]):
            return [f".{name} with keywords"]
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            # "a, *b = c" the chip can.
            stars = [part for part in parts if isinstance(part, ast.Starred)]
            return ["[*a]" for star in stars if isinstance(star.ctx, ast.Load)]
        case ast.Dict(keys=keys) if None in keys:
            return ["{**a}"]
        case ast.Match():
            return ["match"]
        case ast.TryStar():
            return ["except*"]
        case ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() | ast.Await():
            return [type(node).__name__]
        case ast.FunctionDef(args=ast.arguments(posonlyargs=[_, *_])):
            return ["positional-only arguments"]
        case ast.FunctionDef(decorator_list=decorators) | ast.ClassDef(decorator_list=decorators):
            return [
                f"@{ast.unparse(decorator)}"
                for decorator in decorators
                if not (isinstance(decorator, ast.Name) and decorator.id in ALLOWED_DECORATORS)
            ]
    return []


def stub(module: str) -> Path:
    """The stub of a module that the chip's generic build has; it may not exist."""
    return Path(str(distribution("micropython-esp8266-stubs").locate_file(f"{module}.pyi")))


@cache
def names_of(module: str) -> frozenset[str]:
    """Every name of one of the chip's own modules; empty when the chip has no such module."""
    if module in NAMES:
        return frozenset(NAMES[module])
    if not stub(module).exists():
        return frozenset()
    found = set()
    for node in ast.parse(stub(module).read_text("utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    public = {name for name in found if not name.startswith("_")}
    return frozenset(
        public - STUBS_SAY_TOO_MUCH.get(module, set()) | STUBS_SAY_TOO_LITTLE.get(module, set())
    )
