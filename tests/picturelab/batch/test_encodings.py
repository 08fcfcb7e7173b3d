import pytest
import torch

from picturelab.batch.encodings import EncodingCache, finite

WHAT = {"prompt": "a red circle", "model": "m"}
TEXT = {"prompt_embeds": torch.arange(6.0).reshape(1, 2, 3)}


def test_an_encoding_comes_back_bit_for_bit(tmp_path):
    EncodingCache(tmp_path).put(WHAT, TEXT)
    cache = EncodingCache(tmp_path)  # nothing in memory
    assert torch.equal(cache.get(WHAT)["prompt_embeds"], TEXT["prompt_embeds"])
    assert cache.get(WHAT | {"prompt": "a"}) is None
    assert cache.get(WHAT | {"model": "n"}) is None
    assert (cache.misses, cache.hits) == (0, 1)


def test_a_damaged_file_counts_as_none(tmp_path):
    EncodingCache(tmp_path).put(WHAT, TEXT)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    assert EncodingCache(tmp_path).get(WHAT) is None


@pytest.mark.parametrize("folder", ["full", "file/x"])
def test_without_room_it_stays_in_memory(tmp_path, folder):
    (tmp_path / "file").write_text("")
    cache = EncodingCache(tmp_path / folder, room=10 if folder == "full" else 10**6)
    cache.put(WHAT, TEXT)
    assert cache.get(WHAT) is not None
    assert EncodingCache(tmp_path / folder).get(WHAT) is None
    assert not (tmp_path / folder).exists()


def test_memory_is_bounded(tmp_path):
    cache = EncodingCache(tmp_path, room=0)
    for i in range(400):
        cache.put({"prompt": str(i)}, TEXT)
    assert len(cache._held) == 256
    assert cache.get({"prompt": "399"}) is not None
    assert cache.get({"prompt": "0"}) is None


def test_finite():
    assert finite(TEXT | {"mask": torch.ones(2, dtype=torch.bool)})
    assert not finite({"rows": [TEXT["prompt_embeds"], torch.tensor([float("nan")])]})


def files(folder):
    return {path.name: path.stat().st_size for path in folder.iterdir()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("before", "after"), [(0, 50), (50, 0), (20, 30), (0, 0), (0, 52)])
def test_rows_that_are_alike_at_an_end_are_stored_once(tmp_path, before, after, dtype):
    text = torch.randn(1, 52, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
    text[:, :before] = text[:, :1].clone()
    text[:, 52 - after :] = 0
    EncodingCache(tmp_path).put(WHAT, {"prompt_embeds": text, "mask": torch.ones(1, 52)})
    (size,) = files(tmp_path).values()
    rows = 52 - max(before - 1, 0) - max(after - 1, 0)
    assert rows * 64 * text.element_size() <= size < rows * 64 * text.element_size() + 1000
    read = EncodingCache(tmp_path).get(WHAT)["prompt_embeds"]
    assert read.dtype == dtype
    assert torch.equal(read, text)


def test_zeros_of_both_signs_are_not_alike(tmp_path):
    text = torch.zeros(1, 4, 2)
    text[0, 3] = -0.0
    EncodingCache(tmp_path).put(WHAT, {"rows": text})
    assert torch.equal(EncodingCache(tmp_path).get(WHAT)["rows"].signbit(), text.signbit())


def test_what_encodings_share_lies_there_once(tmp_path):
    cache, negative = EncodingCache(tmp_path), torch.randn(1, 77, 8)
    texts = {f"prompt {i}": {"positive": torch.randn(1, 77, 8), "negative": negative} for i in range(5)}
    for prompt, text in texts.items():
        cache.put({"prompt": prompt}, text)
    one = 77 * 8 * 4
    assert sum(files(tmp_path).values()) == cache.written
    assert (
        7 * one < cache.written < 7 * one + 6 * 1000
    )  # five, the first one's own negative, and the one for all
    for prompt, text in texts.items():
        read = EncodingCache(tmp_path).get({"prompt": prompt})
        assert all(torch.equal(read[name], text[name]) for name in text)


def test_an_encoding_whose_shared_part_is_lost_or_damaged_counts_as_none(tmp_path):
    cache = EncodingCache(tmp_path)
    for i in range(2):
        cache.put({"prompt": str(i)}, {"a": torch.full((1, 2, 2), float(i)), "b": torch.ones(1, 2, 2)})
    (shared,) = tmp_path.glob("shared-*")
    shared.write_bytes(shared.read_bytes()[:-4] + b"abcd")
    assert EncodingCache(tmp_path).get({"prompt": "1"}) is None
    shared.unlink()
    assert EncodingCache(tmp_path).get({"prompt": "1"}) is None
    assert EncodingCache(tmp_path).get({"prompt": "0"}) is not None


def test_the_oldest_make_way_where_the_folder_is_full(tmp_path):
    text = {"rows": torch.randn(1, 10, 100)}
    EncodingCache(tmp_path / "one").put({"prompt": "0"}, text)
    (size,) = files(tmp_path / "one").values()
    cache = EncodingCache(tmp_path / "all", room=3 * size + 10)
    for i in range(5):
        cache.put({"prompt": str(i)}, {"rows": torch.randn(1, 10, 100)})
    fresh = EncodingCache(tmp_path / "all")
    assert [fresh.get({"prompt": str(i)}) is not None for i in range(5)] == [False, False, True, True, True]
