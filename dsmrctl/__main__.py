"""python -m dsmrctl"""

from dsmrctl.cli import run

if __name__ == "__main__":
    run()
