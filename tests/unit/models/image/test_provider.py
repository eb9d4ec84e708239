"""Accelerators, simulated by the CPU under another name."""

import re

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image

from snapseek.errors import ModelError
from snapseek.models import Encoder
from snapseek.models.image import provider
from snapseek.models.image.image_tower import ImageTower
from snapseek.models.image.provider import choose_provider

REAL = ort.InferenceSession
CPU = "CPUExecutionProvider"


class FakeSession:
    """The CPU's session under another provider's name, with `change` applied to its outputs."""

    def __init__(self, model, options, providers):
        self._real = REAL(model, options, providers=[CPU])
        self._providers = providers

    def __getattr__(self, name):
        return getattr(self._real, name)

    def get_providers(self):
        return self._providers

    def run(self, outputs, feeds):
        answers = self._real.run(outputs, feeds)
        return answers if self._providers == [CPU] else [self.change(answer) for answer in answers]

    def change(self, answer):
        return answer


@pytest.fixture
def machine(monkeypatch):
    """Simulate a machine with these accelerators, which behave like `session`."""

    def set_up(*names, session=FakeSession):
        present = [f"{name}ExecutionProvider" for name in names]
        monkeypatch.setattr(ort, "get_available_providers", lambda: [*present, CPU])
        monkeypatch.setattr(ort, "InferenceSession", session)

    return set_up


@pytest.fixture
def slow_cpu(monkeypatch):
    monkeypatch.setattr(provider, "_seconds", lambda tower: 2.0 if tower.session.provider == "CPU" else 1.0)


def embedded(tiny_model):
    encoder = Encoder.load(tiny_model)
    vectors = encoder.embed_images([Image.new("RGB", (9, 9), "blue")])
    return encoder, vectors


@pytest.mark.parametrize("name", ["CUDA", "CoreML", "OpenVINO", "Dml"])
def test_a_correct_and_faster_accelerator_runs_the_image_tower(name, machine, slow_cpu, tiny_model, caplog):
    machine(name)
    encoder, vectors = embedded(tiny_model)
    assert (encoder.provider, encoder.image.provider) == ("CPU", name)
    assert vectors.shape == (1, 3)
    assert caplog.messages == []


def test_the_first_of_several_is_tried_first(machine, slow_cpu, tiny_model):
    machine("AzureSomething", "Dml", "OpenVINO", "CUDA")
    assert embedded(tiny_model)[0].image.provider == "CUDA"


def test_without_an_accelerator_it_is_the_cpu_and_nothing_is_compared(machine, tiny_model, monkeypatch):
    machine("Azure")
    monkeypatch.setattr(provider, "sample_pictures", lambda count: pytest.fail("compared with what?"))
    assert embedded(tiny_model)[0].image.provider == "CPU"


class Straying(FakeSession):
    def change(self, answer):
        return answer + np.float32(0.2) * np.roll(answer, 1, axis=1)


class NotANumber(FakeSession):
    def change(self, answer):
        return answer * np.float32("nan")


class NotStarting(FakeSession):
    def get_providers(self):
        return [CPU]


class Refusing(FakeSession):
    def __init__(self, model, options, providers):
        if providers != [CPU]:
            raise RuntimeError("no driver")
        super().__init__(model, options, providers)


class Failing(FakeSession):
    def change(self, answer):
        raise RuntimeError("out of device memory")


@pytest.mark.parametrize(
    ("session", "sentence"),
    [
        (Straying, r"expected a cosine of 0\.999 or more .*, got 0\.9\d"),
        (NotANumber, "it failed: the model finds nothing"),
        (NotStarting, "could not start it; its libraries may be missing"),
        (Refusing, "it failed: .*no driver"),
        (Failing, "it failed: .*out of device memory"),
    ],
)
def test_an_accelerator_that_fails_is_not_used_with_a_warning(
    session, sentence, machine, slow_cpu, tiny_model, caplog
):
    plain = embedded(tiny_model)[1]
    machine("CUDA", session=session)
    encoder, vectors = embedded(tiny_model)
    assert encoder.image.provider == "CPU"
    np.testing.assert_array_equal(vectors, plain)
    (message,) = caplog.messages
    assert message.startswith("CUDA is not used for pictures, the CPU is: ")
    assert caplog.records[0].levelname == "WARNING"
    assert re.search(sentence, message)


def test_a_slower_accelerator_is_not_used(machine, tiny_model, caplog, monkeypatch):
    machine("CoreML")
    monkeypatch.setattr(provider, "_seconds", lambda tower: 1.0 if tower.session.provider == "CPU" else 2.0)
    assert embedded(tiny_model)[0].image.provider == "CPU"
    assert caplog.messages[0].endswith("it is slower here, 2000 ms for 8 pictures against 1000")


def test_a_tower_that_the_cpu_cannot_run_is_an_error(machine):
    machine("CUDA")

    def load(name) -> ImageTower:
        raise ModelError("damaged")

    with pytest.raises(ModelError, match="damaged"):
        choose_provider(load)


def test_runs_on_directml_are_serialized(machine, slow_cpu, tiny_model):
    machine("Dml")
    encoder, _ = embedded(tiny_model)
    tower = encoder.image.tower.session
    with tower._turn:
        assert not tower._turn.acquire(blocking=False)
