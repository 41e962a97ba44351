"""The app, and the entry point of a Hugging Face Space.

python app.py                                          http://127.0.0.1:7860 (GRADIO_SERVER_NAME, GRADIO_SERVER_PORT)
python app.py --models GSAI-ML/LLaDA-8B-Instruct,runs/my-model
                                                       these can be chosen, too; nobody else can add one
WINO_VIZ_MODELS=…  python app.py                       the same, for a Space
python app.py --mcp                                    its endpoints as tools for assistants, too (or WINO_VIZ_MCP=1)
"""

import argparse
import os
import sys
from importlib.util import find_spec

from wino_viz.arguments import Parser
from wino_viz.loading import loader, loading_options, set_up_cuda
from wino_viz.model_menu import ModelMenu, needs_hub, read_names


def options(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(prog="python app.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=os.environ.get("WINO_VIZ_MODELS", ""), metavar="NAME,NAME")
    parser.add_argument("--image-tokenizer", metavar="FOLDER", help="MAGVIT-v2 for listed MMaDA models that bring none")
    parser.add_argument(
        "--mcp",
        action="store_true",
        default=os.environ.get("WINO_VIZ_MCP", "") not in ("", "0"),
        help="offer the endpoints over the Model Context Protocol (pip install -r requirements-mcp.txt)",
    )
    loading_options(parser)
    chosen = parser.parse_args(arguments)
    try:
        chosen.models = read_names(chosen.models)
    except ValueError as error:
        parser.error(str(error))
    if chosen.mcp and find_spec("mcp") is None:
        parser.error("--mcp needs one more package: pip install -r requirements-mcp.txt")
    return chosen


def port_asked() -> int | None:
    """The port that the environment names, None for none; gradio would answer what is no port with a stack trace."""
    text = os.environ.get("GRADIO_SERVER_PORT", "").strip()
    if not text:
        os.environ.pop("GRADIO_SERVER_PORT", None)
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        sys.exit(f"GRADIO_SERVER_PORT must be a port, 1 to 65535, not {text[:40]!r}")
    return int(text)


chosen = options(sys.argv[1:] if __name__ == "__main__" else [])
port = port_asked()

# Nothing leaves the machine: no usage reports, no version check, no look at the hub for files that are all here.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "0" if needs_hub(chosen.models) else "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
set_up_cuda()

from wino_viz.zero_gpu import zero_gpu_here  # noqa: E402

service = zero_gpu_here()  # before anything else that may touch CUDA; None everywhere but on ZeroGPU
if service and chosen.models:
    sys.exit("on ZeroGPU every model is loaded when the app starts: only the embedded ones are offered there")

from wino_viz.plus import wino_plus  # noqa: E402
from wino_viz.session import Session  # noqa: E402
from wino_viz.ui.page import LAUNCH, build_page, theme  # noqa: E402

session, pictures = Session(service=service), Session("mmada-mini", task="caption", service=service)
plus = wino_plus(session)
if service:
    service.load(each for each in (session, pictures, plus) if each)
load = loader(chosen.dtype, chosen.device_map, image_tokenizer=chosen.image_tokenizer)
menu = ModelMenu(session, pictures, chosen.models, load)
demo = build_page(session, pictures=pictures, plus=plus, menu=menu)

if __name__ == "__main__":
    # gradio takes the next free port by itself: not where one was asked for
    try:
        demo.launch(theme=theme(), mcp_server=chosen.mcp, server_port=port, **LAUNCH)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
