"""The benchmark of rolling batches: gathered calls are the ones that would be made alone."""

import threading

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks import rolling
from picturelab.models import load_pipeline


def test_calls_of_all_in_flight_are_one_call_and_each_gets_its_own_rows():
    def forward(sample, timestep, text, return_dict):
        return (sample * timestep[:, None] + text,)

    gathered, answers = rolling.Gathered(forward, 2), {}

    def ask(name, steps):
        for step in range(steps):
            (answers[name, step],) = gathered(torch.ones(2, 1), step, torch.full((2, 1), name))
        gathered.leave()

    threads = [threading.Thread(target=ask, args=(10.0 * n, n)) for n in (1, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gathered.rows == [4, 2, 2]  # the shorter one has left after its only step
    assert {key: value.flatten().tolist() for key, value in answers.items()} == {
        (10.0, 0): [10.0] * 2,
        (30.0, 0): [30.0] * 2,
        (30.0, 1): [31.0] * 2,
        (30.0, 2): [32.0] * 2,
    }


@pytest.mark.slow
def test_pictures_in_flight_are_those_made_alone_to_1e_4():
    pipe = load_pipeline("shapeworld/unet")
    pipe.set_progress_bar_config(disable=True)
    pictures = rolling.Pictures(pipe, [1, 3, 2], 64)
    for one, other in zip(pictures.make(1), pictures.make(2), strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    assert "forward" not in vars(pipe.unet)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--steps", "3,0"], "--steps=0: must be a whole number from 1 to"),
        (["--in-flight", "none"], "--in-flight 'none': must be whole numbers with commas between them"),
    ],
)
def test_bad_input_is_one_sentence(words, sentence):
    app = typer.Typer()
    app.command()(rolling.main)
    result = CliRunner().invoke(app, words, env={"COLUMNS": "400", "TERM": "dumb"})
    assert result.exit_code == 2
    assert sentence in result.output
