"""Draw the pictures of the program's page: a training run in a terminal, and its report page."""

import argparse
import html
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
COLUMNS, LINE, LETTER = 86, 20, 8.4
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def in_a_terminal(command) -> str:
    """The output of a command in a terminal."""
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, COLUMNS))
    with subprocess.Popen(command, stdout=writer, stderr=writer, cwd=ROOT) as process:
        os.close(writer)
        seen = b""
        while True:
            try:
                block = os.read(reader, 4096)
            except OSError:  # the other end is closed
                break
            seen += block
    if process.returncode:
        raise SystemExit(seen.decode())
    return seen.decode()


def screen(text: str, bar_after: int) -> list[str]:
    """The lines that stay, and the progress bar as it was after the given number of them."""
    kept, bars, lines = [], {}, text.replace("\r\n", "\n").split("\n")
    for line in lines:
        *passing, last = [part.replace("\x1b[A", "").rstrip() for part in line.split("\r")]
        bars[len(kept)] = next((part for part in reversed(passing) if "%|" in part), bars.get(len(kept), ""))
        if last.strip():
            kept.append(last)
    bar = next((bars[number] for number in range(bar_after, len(kept)) if bars.get(number)), "")
    return [*kept[:bar_after], bar]


def as_svg(title: str, lines: list[str]) -> str:
    width, height = int(COLUMNS * LETTER) + 40, LINE * (len(lines) + 1) + 56
    rows = "\n".join(
        f'<text x="20" y="{64 + LINE * number}" xml:space="preserve">{html.escape(line)}</text>'
        for number, line in enumerate([f"$ {title}", *lines])
    )
    colours = ("e0605a", "dfb04c", "6cb45f")
    dots = "".join(f'<circle cx="{22 + 18 * i}" cy="20" r="5.5" fill="#{c}"/>' for i, c in enumerate(colours))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#d8dee9">\n'
        f'<rect width="{width}" height="{height}" rx="10" fill="#1d232d"/>{dots}\n{rows}\n</svg>\n'
    )


def photograph(page: Path, to: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit("the report page is photographed by chromium: apt-get install chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000"]
    size = ["--window-size=1100,1500", "--force-device-scale-factor=1", f"--screenshot={to}"]
    subprocess.run([browser, *options, *size, page.as_uri()], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", default="25")
    arguments = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        command = ["scripts/train_lenet.py", "--epochs", arguments.epochs, "--run-dir", str(run_dir)]
        text = in_a_terminal([sys.executable, *command])
        (PICTURES / "terminal.svg").write_text(as_svg("python scripts/train_lenet.py", screen(text, bar_after=9)))
        report = [sys.executable, "-m", "jaxcnn", "report", str(run_dir)]
        subprocess.run(report, check=True, cwd=ROOT, capture_output=True)
        photograph(run_dir / "report.html", PICTURES / "report.png")
    print(*sorted(PICTURES.iterdir()), sep="\n")


if __name__ == "__main__":
    main()
