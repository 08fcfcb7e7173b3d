"""Attention shares: they sum to one and equal a brute-force computation."""

import pytest
import torch
from torch.overrides import TorchFunctionMode

import padtone
from padtone.maths.roles import ROLES, row_roles
from tests.tiny import text_pipelines

PROMPT = "a red cat"
_TRUE_CFG = {"negative_prompt": "green", "true_cfg_scale": 3.0}
MORE = {"sd1": {"negative_prompt": "green"}, "flux": _TRUE_CFG, "flux_clip": _TRUE_CFG}


def call(name: str, **more: object) -> dict:
    return (
        {"output_type": "latent"}
        | text_pipelines.SIZE
        | text_pipelines.CALL[name]
        | MORE.get(name, {})
        | more
    )


class Everything(TorchFunctionMode):
    """Every attention of a run, with its whole matrix: what `attention_to_padding` must never hold."""

    def __init__(self):
        super().__init__()
        self.matrices = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            query, key, *_ = [*args, *(kwargs[n] for n in ("query", "key", "value") if n in kwargs)]
            scale = kwargs.get("scale") or query.shape[-1] ** -0.5
            scores = torch.einsum("bhqd,bhkd->bhqk", query, key) * scale
            mask = kwargs.get("attn_mask")
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
            self.matrices.append(scores.softmax(-1))
        return func(*args, **kwargs)


# Tokens of text, and where text and image lie in the sequence, by hand.
LAYOUT = {
    "sd1": (77, slice(None), slice(0, 77)),
    "pixart_alpha": (24, slice(None), slice(0, 24)),
    "sd3": (101, slice(0, -101), slice(-101, None)),
    "flux": (24, slice(24, None), slice(0, 24)),
    "flux_clip": (72, slice(72, None), slice(0, 72)),
    "flux2": (64, slice(64, None), slice(0, 64)),
    "chroma": (24, slice(24, None), slice(0, 24)),
    "cogview4": (16, slice(16, None), slice(0, 16)),
    "aura_flow": (24, slice(32, None), slice(8, 32)),  # after 8 registers
    "lumina2": (34, slice(34, None), slice(0, 34)),  # 30 rows of padding are cut off
    "z_image": (8, slice(0, 64), slice(64, 72)),  # 64 patches, then 8 tokens, then 24 of its own padding
}


@pytest.mark.parametrize("name", LAYOUT)
def test_equals_brute_force(tiny, name):
    pipe = tiny(name)
    rows, image, text = LAYOUT[name]
    # Without guidance, so that the run's only attention is the prompt's.
    options = {} if name.startswith("flux") else {"guidance_scale": 0.0 if name == "z_image" else 1.0}
    plain = {k: v for k, v in call(name, **options).items() if not k.startswith(("negative", "true_cfg"))}
    shares = padtone.attention_to_padding(pipe, PROMPT, queries=10**6, **plain)
    full = padtone.encode(pipe, PROMPT, **text_pipelines.text_options(name))
    with Everything() as everything:
        pipe(**full, **plain, generator=[torch.Generator().manual_seed(0)])
    roles = row_roles(padtone.token_roles(pipe, PROMPT, **text_pipelines.text_options(name)), _length(full))[
        :rows
    ]
    expected = []
    for matrix in everything.matrices:
        if not _reads_text(name, matrix, rows):
            continue
        matrix = matrix[0, :, image]  # (heads, image queries, keys)
        share = [matrix[:, :, text][..., [r == role for r in roles]].sum(-1).mean(-1) for role in ROLES]
        rest = 1 - torch.stack(share).sum(0)
        if name == "z_image":
            share[ROLES.index("padding")] += matrix[:, :, 72:].sum(-1).mean(-1)
            rest = 1 - torch.stack(share).sum(0)
        expected.append(torch.stack([*share, rest], dim=-1))
    steps = len(shares.layers[0])
    assert len(expected) == steps * len(shares.layers)
    for i, layer in enumerate(shares.layers):
        assert torch.allclose(layer, torch.stack(expected[i :: len(shares.layers)]), atol=1e-5)


def _length(arguments) -> int:
    return arguments["prompt_embeds"][0].shape[0]


def _reads_text(name: str, matrix: torch.Tensor, rows: int) -> bool:
    """Is this an attention of image queries to text?"""
    queries, keys = matrix.shape[-2:]
    if name in ("sd1", "pixart_alpha"):
        return keys == rows and queries != keys
    if name == "z_image":
        return keys == 96
    extra = 8 if name == "aura_flow" else 0
    image = 4 if name == "lumina2" else 64
    return keys == queries == rows + extra + image


@pytest.mark.parametrize("name", text_pipelines.BUILDERS)
def test_shares_sum_to_one(tiny, name):
    pipe = tiny(name)
    shares = padtone.attention_to_padding(pipe, PROMPT, queries=5, **call(name))
    assert shares.groups == (*ROLES, "image")
    for layer, queries in zip(shares.layers, shares.queries, strict=True):
        assert layer.shape[0] == 2  # steps
        assert torch.allclose(layer.sum(-1), torch.ones(layer.shape[:2]), atol=1e-5)
        assert (layer >= 0).all()
        assert 1 <= queries <= 5
    assert abs(sum(shares.share(group) for group in shares.groups) - 1) < 1e-5
    assert shares.table().shape == (len(shares.layers), 6)
    # PixArt, Sana, Lumina 2 and Qwen-Image let no padding be seen; Z-Image adds its own.
    hidden = name in ("pixart_alpha", "pixart_sigma", "sana", "lumina2", "qwen_image")
    assert (shares.share("padding") == 0) == hidden


def test_masked_padding_gets_nothing(tiny):
    pipe = tiny("flux")
    with padtone.mask_padding(pipe):
        shares = padtone.attention_to_padding(pipe, PROMPT, **call("flux"))
    assert shares.share("padding") == 0
    assert shares.share("prompt") > 0


def test_looking_does_not_change_the_image(tiny):
    pipe = tiny("sd3")
    seen = []
    hook = pipe.transformer.register_forward_hook(lambda module, args, output: seen.append(output[0]))
    padtone.attention_to_padding(pipe, PROMPT, **call("sd3"))
    text_pipelines.run(pipe, "sd3", PROMPT)
    hook.remove()
    assert torch.allclose(seen[0], seen[2], atol=1e-6)


@pytest.mark.parametrize("queries", [0, 2.5])
def test_bad_queries(tiny, queries):
    with pytest.raises(ValueError, match=f"queries is {queries}"):
        padtone.attention_to_padding(tiny("sd1"), PROMPT, queries=queries)


def test_bad_group(tiny):
    shares = padtone.attention_to_padding(tiny("sd1"), PROMPT, **call("sd1"))
    with pytest.raises(ValueError, match="group is 'pad'"):
        shares.share("pad")


def test_other_attention(tiny):
    """Sliced attention multiplies by hand: say so."""
    pipe = tiny("sd1")
    processors = pipe.unet.attn_processors
    pipe.enable_attention_slicing()
    try:
        with pytest.raises(RuntimeError, match="SlicedAttnProcessor does not use torch's"):
            padtone.attention_to_padding(pipe, PROMPT, **call("sd1"))
    finally:
        pipe.unet.set_attn_processor(processors)
