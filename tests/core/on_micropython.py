"""Run by MicroPython: every test of the modules named, beside this file.

micropython tests/core/on_micropython.py <root of the project> test_frame ...
"""

import sys

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[1] + "/tests/core")

passed = failed = 0
for name in sys.argv[2:]:
    module = __import__(name)
    for test in sorted(dir(module)):
        if not test.startswith("test_"):
            continue
        try:
            getattr(module, test)()
            passed += 1
        except Exception as error:
            failed += 1
            print(name + "." + test)
            sys.print_exception(error, sys.stdout)  # pyright: ignore[reportAttributeAccessIssue]
print(passed, "passed,", failed, "failed")
sys.exit(1 if failed or not passed else 0)
