"""Train LeNet on real images: `python scripts/train_lenet.py`, and `--help` for what else it can do."""

import sys

try:
    from jaxcnn.train.commands.train import main
except ModuleNotFoundError as error:
    print(f"error: {error.name} isn't installed here. From the top folder of jaxcnn:", file=sys.stderr)
    print("python3 -m venv .venv && .venv/bin/pip install -e '.[train]'", file=sys.stderr)
    sys.exit(2)
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
