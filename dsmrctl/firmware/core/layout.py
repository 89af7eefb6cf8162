"""What a person may call the elements of a frame that does not tell its version."""

from .frame import FIELDS

# A frame's own fields, the export registers, "-" for what is not known.
LAYOUT_NAMES = FIELDS + ("export_t1_wh", "export_t2_wh", "-")


def check_layout(names) -> tuple[str, ...]:
    """`names` as a layout for `read`; ValueError names the one that is wrong."""
    names = tuple(names)
    if not names:
        raise ValueError("a layout names at least one element")
    for name in names:
        if name not in LAYOUT_NAMES:
            raise ValueError(name + " is not one of " + ", ".join(LAYOUT_NAMES))
        if name != "-" and names.count(name) > 1:
            raise ValueError(name + " stands twice")
    return names
