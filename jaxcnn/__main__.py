"""`python -m jaxcnn train|evaluate|predict|report|export ...`, and `--help` for what each of them does."""

import sys

try:
    from jaxcnn.train.commands.door import main

    if __name__ == "__main__":
        sys.exit(main())
except ModuleNotFoundError as error:
    sys.stderr.write(f"error: {error.name} isn't installed here. From the top folder of jaxcnn:\n")
    sys.stderr.write("python3 -m venv .venv && .venv/bin/pip install -e '.[train]'\n")
    sys.exit(2)
except KeyboardInterrupt:
    sys.exit(130)
