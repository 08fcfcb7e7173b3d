"""Encoders that fill the same rows and read them differently: a row is padding where it is for all of them."""

import pytest
import torch

import padtone
from padtone.maths.roles import row_roles
from tests.tiny import text_pipelines, unet_pipelines
from tests.tiny.denoiser_calls import call_of

PROMPT, LONG = "a red cat", "a big green dog sitting under the old tree"  # 3 and 9 words
MANY = {"sdxl": ("prompt_2",), "sd3": ("prompt_2", "prompt_3")}
# What the shorter text takes of the rows that the two CLIPs share is 5; the longer takes 11.
SHORT_ROWS, LONG_ROWS = 5, 11


def rows_read(pipe, **call) -> set[int]:
    """How many rows of text the blocks of a run read."""
    rows = set()
    modules = [
        m
        for part in (getattr(pipe, "unet", None), getattr(pipe, "transformer", None))
        if part is not None
        for name, m in part.named_modules()
        if name.endswith(("attn2", "attn"))
    ]

    def look(module, args, kwargs):
        text = kwargs.get("encoder_hidden_states")
        if text is not None:
            rows.add(text.shape[1])

    hooks = [m.register_forward_pre_hook(look, with_kwargs=True) for m in modules]
    try:
        pipe(output_type="latent", **call)
    finally:
        for hook in hooks:
            hook.remove()
    return rows


@pytest.fixture(scope="module")
def pipe():
    return unet_pipelines.pipeline("XL")


class TestExclamationMarks:
    """SDXL's own tokenizers cut "!!" differently, and "!" is padding for the second."""

    PROMPTS = ("a cat!", "sale!! 50% off", "what?!", "!!")

    @pytest.mark.parametrize("prompt", PROMPTS)
    def test_arms_share_the_rows_between_them(self, pipe, prompt):
        entries = padtone.token_roles(pipe, prompt)
        padding = [all(e.roles[i] == "padding" for e in entries) for i in range(77)]
        arms = {
            keep: padtone.encode(pipe, prompt, keep)["prompt_embeds"][0]
            for keep in (
                "full",
                "clean",
                "prompt",
                "padding",
                "eos",
                *(f"padding {i}/5" for i in range(1, 6)),
            )
        }
        own = {keep: (arm != arms["clean"]).any(-1).tolist() for keep, arm in arms.items()}
        assert own["padding"] == padding
        assert own["prompt"] == [not row for row in padding]
        assert own["eos"] == [role == "eos" for role in row_roles(entries, 77)]
        fifths = [own[f"padding {i}/5"] for i in range(1, 6)]
        assert [sum(rows) for rows in zip(*fifths, strict=True)] == [int(row) for row in padding]

    @pytest.mark.parametrize("negative", [None, "ugly!!"])
    @pytest.mark.parametrize("prompt", PROMPTS)
    def test_trimmed_to_the_longest(self, pipe, prompt, negative):
        needed = [
            max(77 - e.count("padding") for e in padtone.token_roles(pipe, text))
            for text in (prompt, negative or "")
        ]
        call = dict(num_inference_steps=1, height=64, width=64, negative_prompt=negative)
        with padtone.trim_padding(pipe):
            assert rows_read(pipe, prompt=prompt, guidance_scale=1.0, **call) == {needed[0]}
            assert rows_read(pipe, prompt=prompt, guidance_scale=5.0, **call) == {max(needed)}

    def test_attention_is_counted_by_the_shared_roles(self, pipe):
        call = dict(num_inference_steps=1, height=64, width=64, output_type="latent", guidance_scale=1.0)
        shares = padtone.attention_to_padding(pipe, "sale!! 50% off", **call)
        assert shares.table().sum(-1).allclose(torch.ones(len(shares.layers)))

    def test_each_encoder_keeps_its_own_view(self, pipe):
        first, second = padtone.token_roles(pipe, "a cat!")
        assert first.count("prompt") == second.count("prompt") == 3
        first, second = padtone.token_roles(pipe, "a cat!!")
        assert (first.count("prompt"), second.count("prompt")) == (3, 4)
        assert first.rows == second.rows == range(77)


@pytest.mark.parametrize("name", MANY)
class TestPromptsOfTheirOwn:
    def expected(self, name, clip):
        """Rows of the trimmed text; T5 reads the third prompt, or as many words as its own has."""
        return clip + (0 if name == "sdxl" else 4)

    def options(self, name):
        return text_pipelines.text_options(name)

    def test_roles(self, tiny, name):
        pipe = tiny(name)
        entries = padtone.token_roles(pipe, PROMPT, prompt_2=LONG, **self.options(name))
        assert [entry.count("prompt") for entry in entries[:2]] == [3, 9]
        rows = row_roles(entries, 77 if name == "sdxl" else 101)
        assert rows[:12] == ["bos"] + ["prompt"] * 9 + ["eos"] + ["padding"]
        if name == "sd3":
            assert entries[2].count("prompt") == 3
            third = padtone.token_roles(pipe, PROMPT, prompt_3=LONG, **self.options(name))
            assert [entry.count("prompt") for entry in third] == [3, 3, 9]

    @pytest.mark.parametrize(("first", "second"), [(PROMPT, LONG), (LONG, PROMPT)])
    def test_trimming(self, tiny, name, first, second):
        pipe = tiny(name)
        call = text_pipelines.SIZE | text_pipelines.CALL[name]
        third = {"prompt_3": PROMPT} if name == "sd3" else {}
        with padtone.trim_padding(pipe):
            seen = rows_read(pipe, prompt=first, prompt_2=second, guidance_scale=1.0, **third, **call)
        assert max(seen) == self.expected(name, LONG_ROWS)

    def test_trimming_by_a_negative_prompt(self, tiny, name):
        """The second encoder's negative prompt is the longest text of all."""
        pipe = tiny(name)
        call = text_pipelines.SIZE | text_pipelines.CALL[name]
        third = {"prompt_3": PROMPT, "negative_prompt_3": "green"} if name == "sd3" else {}
        with padtone.trim_padding(pipe):
            seen = rows_read(
                pipe, prompt=PROMPT, negative_prompt="green", negative_prompt_2=LONG, **third, **call
            )
        assert max(seen) == self.expected(name, LONG_ROWS)

    def test_what_stays_is_the_plain_encoding(self, tiny, name):
        """A causal encoder's rows are no others under the mask, also where it pads and the other reads."""
        pipe = tiny(name)
        call = call_of(pipe, name, PROMPT)
        plain = padtone.encode(pipe, PROMPT, prompt_2=LONG, **self.options(name))["prompt_embeds"]
        assert call.text.shape[1] == plain.shape[1]
        with padtone.mask_padding(pipe):
            hidden = padtone.encode(pipe, PROMPT, prompt_2=LONG, **self.options(name))["prompt_embeds"]
        assert (hidden[:, :LONG_ROWS] - plain[:, :LONG_ROWS]).abs().max() < 1e-6
        assert (hidden[:, LONG_ROWS:77] - plain[:, LONG_ROWS:77]).abs().max() > 1e-3

    def test_a_batch_gets_what_its_members_get(self, tiny, name):
        pipe = tiny(name)
        pairs = [(PROMPT, LONG), (LONG, "dog"), ("tree", "tree")]
        negatives = ["green", LONG, "a"]
        with padtone.trim_padding(pipe):
            batch = text_pipelines.run(
                pipe,
                name,
                [first for first, _ in pairs],
                range(6),
                prompt_2=[second for _, second in pairs],
                negative_prompt=["red"] * 3,
                negative_prompt_2=negatives,
                num_images_per_prompt=2,
            )
            for i, (first, second) in enumerate(pairs):
                more = {"prompt_2": second, "negative_prompt": "red", "negative_prompt_2": negatives[i]}
                alone = text_pipelines.run(pipe, name, first, (2 * i + 1,), **more)
                assert (alone[0] - batch[2 * i + 1]).abs().max() < 1e-4

    def test_masking_equals_trimming(self, tiny, name):
        pipe, more = tiny(name), {"prompt_2": LONG, "negative_prompt": LONG, "negative_prompt_2": "a"}
        with padtone.mask_padding(pipe):
            masked = text_pipelines.run(pipe, name, PROMPT, **more)
        with padtone.trim_padding(pipe):
            trimmed = text_pipelines.run(pipe, name, PROMPT, **more)
        assert (masked - trimmed).abs().max() < 1e-4

    def test_ite_and_idp(self, tiny, name):
        """The full arm is the plain picture of both prompts, and so is the donor."""
        pipe = tiny(name)
        more = {"prompt_2": LONG, "negative_prompt": "green", "negative_prompt_2": "a small circle"}
        stock = text_pipelines.run(pipe, name, PROMPT, **more)[0]
        call = {"output_type": "np"} | text_pipelines.SIZE | text_pipelines.CALL[name] | more
        images = padtone.ite(pipe, PROMPT, [0], ("full", "prompt", "padding", "eos"), **call)
        assert abs(torch.as_tensor(images["full"][0]) - stock).max() < 1e-4
        arms = padtone.idp_arms(pipe, PROMPT, [0], ("full", "prompt"), **call)
        assert abs(torch.as_tensor(arms["donor"][0]) - stock).max() < 1e-4
        assert abs(arms["full"][0] - arms["donor"][0]).max() < 1e-5
        with padtone.replace_padding(pipe):
            replaced = text_pipelines.run(pipe, name, PROMPT, **more)[0]
        assert abs(torch.as_tensor(images["prompt"][0]) - replaced).max() < 1e-5

    def test_the_clean_text_is_the_same_for_all_encoders(self, tiny, name):
        pipe = tiny(name)
        own = {"prompt_2": LONG, **self.options(name)}
        clean = padtone.encode(pipe, PROMPT, "clean", clean="empty_prompt", pooled="clean", **own)
        empty = padtone.encode(pipe, "", **self.options(name))
        assert all(torch.equal(clean[key], empty[key]) for key in clean)
        source = padtone.encode(pipe, PROMPT, source="tree", pooled="clean", **own)["prompt_embeds"]
        assert torch.equal(source, padtone.encode(pipe, "tree", **self.options(name))["prompt_embeds"])

    def test_bad_input(self, tiny, name):
        with pytest.raises(TypeError, match="prompt_2 is 3; it is one string"):
            padtone.ite(tiny(name), PROMPT, [0], prompt_2=3)
        with pytest.raises(TypeError, match=r"negative_prompt_2 is \['a'\]; it is one string"):
            padtone.ite(tiny(name), PROMPT, [0], negative_prompt_2=["a"])
        with pytest.raises(TypeError, match="prompt_2 is 3; it must be one string"):
            padtone.token_roles(tiny(name), PROMPT, prompt_2=3)


@pytest.mark.parametrize("name", ["flux", "flux_clip"])
def test_flux_pooled_encoder_reads_another_prompt(tiny, name):
    """CLIP reads the prompt and has no rows; what is trimmed is the second encoder's text alone."""
    pipe = tiny(name)
    entries = padtone.token_roles(pipe, LONG, prompt_2=PROMPT, **text_pipelines.text_options(name))
    assert [entry.count("prompt") for entry in entries] == [9, 3]
    call = text_pipelines.SIZE | text_pipelines.CALL[name]
    with padtone.trim_padding(pipe):
        assert max(rows_read(pipe, prompt=LONG, prompt_2=PROMPT, **call)) == (4 if name == "flux" else 5)


@pytest.mark.parametrize("negative", [None, "green"])
def test_the_zeros_of_a_missing_negative_prompt_need_no_rows(tiny, negative):
    """No encoder made them, and attention to equal rows is the same however many they are."""
    pipe = tiny("sdxl")
    pipe.register_to_config(force_zeros_for_empty_prompt=True)
    try:
        plain = text_pipelines.run(pipe, "sdxl", PROMPT, negative_prompt=negative)
        call = text_pipelines.SIZE | text_pipelines.CALL["sdxl"]
        with padtone.trim_padding(pipe):
            trimmed = text_pipelines.run(pipe, "sdxl", PROMPT, negative_prompt=negative)
            assert rows_read(pipe, prompt=PROMPT, negative_prompt=negative, **call) == {SHORT_ROWS}
            both = rows_read(pipe, prompt=[PROMPT, LONG], num_images_per_prompt=2, **call)
            assert both == {LONG_ROWS}
        with padtone.mask_padding(pipe):
            masked = text_pipelines.run(pipe, "sdxl", PROMPT, negative_prompt=negative)
    finally:
        pipe.register_to_config(force_zeros_for_empty_prompt=False)
    assert (masked - trimmed).abs().max() < 1e-4
    assert (plain - trimmed).abs().max() > 1e-3


def test_zeros_by_hand(tiny):
    """By attention itself: the unconditional estimate is what it is on all rows."""
    unet = tiny("sdxl").unet
    more = {"text_embeds": torch.zeros(1, 16), "time_ids": torch.zeros(1, 6)}
    sample = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    few, many = (unet(sample, 1, torch.zeros(1, n, 32), added_cond_kwargs=more).sample for n in (1, 77))
    assert (few - many).abs().max() < 1e-5


def test_without_the_first_encoder(tiny):
    """SDXL's refiner has its second encoder alone, which then reads the prompt, whatever `prompt_2` says."""
    from diffusers import StableDiffusionXLPipeline

    parts = tiny("sdxl").components | {"text_encoder": None, "tokenizer": None}
    parts["unet"] = text_pipelines.cross.unet(
        16,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=16 + 6 * 8,
    )
    pipe = StableDiffusionXLPipeline(
        **{k: v for k, v in parts.items() if k not in ("image_encoder", "feature_extractor")},
        add_watermarker=False,
        force_zeros_for_empty_prompt=False,
    )
    pipe.set_progress_bar_config(disable=True)
    (entry,) = padtone.token_roles(pipe, PROMPT, prompt_2=LONG)
    assert (entry.name, entry.rows, entry.count("prompt")) == ("text_encoder_2", range(77), 3)
    call = text_pipelines.SIZE | text_pipelines.CALL["sdxl"]
    with padtone.trim_padding(pipe):
        assert rows_read(pipe, prompt=PROMPT, **call) == {SHORT_ROWS}
    assert len(padtone.ite(pipe, PROMPT, [0], ("prompt",), output_type="np", **call)["prompt"]) == 1
