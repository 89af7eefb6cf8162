# The chip's os: the real one, and the terminal on the UART.
import chip
from uos import (
    VfsLfs2,
    ilistdir,
    listdir,
    mkdir,
    mount,
    remove,
    rename,
    rmdir,
    stat,
    statvfs,
    umount,
    urandom,
)

unlink = remove
attached = True


def dupterm(stream, index=1):
    global attached
    attached = stream is not None
    chip.tell(b"T", attached)
