"""The thread in which prompts are read: an address has a few unread at once, and the others go on."""

import asyncio
import threading

import pytest

from picturelab_ui.host import Host
from picturelab_ui.padding_tokens import tokens
from picturelab_ui.readings import Readings
from picturelab_ui.workshop import Workshop


def test_a_group_has_a_few_unread_prompts_and_others_are_read():
    readings, gate = Readings(2), threading.Event()

    async def run():
        mine = [asyncio.create_task(readings.read("mine", lambda: gate.wait(20))) for _ in range(2)]
        other = asyncio.create_task(readings.read("another's", lambda: "read"))
        nobodys = [asyncio.create_task(readings.read("", lambda: "read")) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(ValueError, match="2 prompts from your address are not read yet, the most here"):
            await readings.read("mine", lambda: "read")
        elsewhere = await asyncio.to_thread(lambda: "is done")  # what else has threads is not held
        gate.set()
        answers = [elsewhere, await other, *await asyncio.gather(*nobodys), *await asyncio.gather(*mine)]
        return answers, await readings.read("mine", lambda: "read")

    assert asyncio.run(run()) == (["is done", *["read"] * 6, True, True], "read")
    assert not readings._unread


def test_a_prompt_whose_reader_has_gone_is_not_read():
    readings, gate, prompts = Readings(2), threading.Event(), []

    async def run():
        first = asyncio.create_task(readings.read("a", lambda: gate.wait(20)))
        second = asyncio.create_task(readings.read("a", lambda: prompts.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        gate.set()
        await first
        await readings.read("a", lambda: prompts.append("third"))

    asyncio.run(run())
    assert prompts == ["third"]
    assert not readings._unread


def test_a_prompt_of_a_model_that_is_not_loaded_any_more_is_told_so(tmp_path):
    workshop = Workshop(Host(output=tmp_path))
    loading, over = threading.Event(), threading.Event()

    def hold(job):
        loading.set()
        over.wait(20)

    async def run():
        workshop.runner.submit(hold)
        reading = asyncio.create_task(tokens.tokens_of(workshop, "", "shapeworld/unet", "a red circle"))
        while "shapeworld/unet" not in workshop.models._loading:
            await asyncio.sleep(0)
        workshop.runner.cancel(workshop.models._loading["shapeworld/unet"])
        over.set()
        await reading

    with pytest.raises(ValueError, match=r"'shapeworld/unet' is not loaded, .*: try again"):
        asyncio.run(run())
    workshop.runner.close()
