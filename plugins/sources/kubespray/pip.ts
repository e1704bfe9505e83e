/**
 * A Python program that runs pip as if on the Python and machine in its first two arguments. pip itself chooses wheels for
 * `--python-version` and `--platform`, but takes environment markers (PEP 508), such as `python_version < "3.12"`, to be
 * about the Python it runs on: what only the other Python needs would be missing.
 */
export const PIP_FOR_TARGET = `import sys
from pip._vendor.packaging import markers

version, machine = sys.argv.pop(1), sys.argv.pop(1)
own_environment = markers.default_environment


def target_environment():
    return {
        **own_environment(),
        "implementation_name": "cpython",
        "implementation_version": version + ".0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": version + ".0",
        "python_version": version,
        "sys_platform": "linux",
    }


markers.default_environment = target_environment

from pip._internal.cli.main import main

sys.exit(main())
`;
