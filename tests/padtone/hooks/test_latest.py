"""What is costly to find out is found out once a run."""

import pytest
import torch

from padtone.hooks.denoiser import PlaceOfTexts, StepCounter, arguments_of, with_argument
from padtone.hooks.latest import Latest


def test_an_answer_holds_for_the_same_object_only():
    questions = []
    length = Latest(lambda text: questions.append(text) or len(text))
    first, equal = [1, 2], [1, 2]
    assert [length(first), length(first), length(equal), length(first)] == [2, 2, 2, 2]
    assert [question is first for question in questions] == [True, False, True]


def test_none_is_an_object_too():
    questions = []
    Latest(questions.append)(None)
    assert questions == [None]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("wrap", [lambda tensor: tensor, lambda tensor: [tensor]], ids=["tensor", "list"])
def test_what_was_written_into_is_asked_about_again(mode, wrap):
    questions = []
    with mode():
        rows = torch.tensor([1.0, torch.nan])
        thing, ask = wrap(rows), Latest(questions.append)
        for _ in range(2):
            ask(thing)
        assert len(questions) == 1
        rows[0] = 2
        for _ in range(2):
            ask(thing)
        assert len(questions) == 2


def test_a_list_with_another_tensor_in_it_is_asked_about_again():
    questions = []
    texts, ask = [torch.zeros(2), torch.zeros(3)], Latest(questions.append)
    ask(texts)
    texts[1] = torch.zeros(3)
    ask(texts)
    assert len(questions) == 2


def test_texts_that_were_written_over_are_no_longer_in_the_batch():
    texts, other = torch.ones(1, 2, 3), torch.zeros(1, 2, 3)
    place, batch = PlaceOfTexts(texts), torch.cat([other, texts])
    assert place.of(batch) == 1
    batch[1] = other[0]
    assert place.of(batch) is None


class Scheduler:
    timesteps = torch.tensor([3.0, 3.0, 2.0, 1.0])


class Pipe:
    scheduler = Scheduler()


def test_a_scheduler_with_other_timesteps_is_counted_anew():
    pipe = Pipe()
    counter = StepCounter(pipe)
    assert counter.see({"timestep": torch.tensor([3.0, 3.0])}) == 0.0
    assert counter.see({"t": 2.0}) == 1 / 3
    pipe.scheduler = Scheduler()
    pipe.scheduler.timesteps = torch.tensor([3.0, 2.0, 1.0, 0.0])
    assert counter.see({"t": 1.0}) == 2 / 4


class Block(torch.nn.Module):
    def forward(self, stream, text=None, scale=1.0):
        return stream


def test_a_calls_arguments_by_name():
    block = Block()
    assert arguments_of(block, (1, 2), {"scale": 3}) == {"stream": 1, "text": 2, "scale": 3}
    assert with_argument(block, "text", 9, (1, 2), {"scale": 3}) == ((1, 9), {"scale": 3})
    assert with_argument(block, "text", 9, (1,), {}) == ((1,), {"text": 9})
