"""FouriScale and wrapping as nodes of ComfyUI, for the UNets that ComfyUI has itself.

Nothing here imports ComfyUI or diffusers: what ComfyUI hands over is used by the names that its custom nodes use.
"""

from .nodes import FouriScale, FouriScaleWrap

NODE_CLASS_MAPPINGS = {"FouriScale": FouriScale, "FouriScaleWrap": FouriScaleWrap}
NODE_DISPLAY_NAME_MAPPINGS = {"FouriScale": "FouriScale", "FouriScaleWrap": "FouriScale wrap"}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
