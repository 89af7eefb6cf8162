"""The digital electricity meter's P1 port: telegrams, frames, and the boards that act on them."""

__version__ = "0.2.0.dev0"
