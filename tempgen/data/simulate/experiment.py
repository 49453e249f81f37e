"""The experiment: which image is shown in which slot of which run, arranged as NSD's was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import N_DESIGN_ROWS, N_SLOTS, RUNS_PER_SESSION, TRIALS_PER_SESSION, TRS_PER_SLOT
from tempgen.data.simulate.seeds import Draw, generator

N_SUBJECTS = 8
N_NSD_IMAGES = 73_000
N_REPETITIONS = 3
"""Subjects, images in nsd_stimuli.hdf5, presentations of each image. Source: NSD (Allen et al. 2022)."""

N_BLANK_FIRST, N_BLANK_LAST = 3, 4
N_BLANKS_ODD, N_BLANKS_EVEN = 5, 6
"""Blank slots before, after and among the stimuli, in odd and in even runs. Source: NSD (Allen et al. 2022)."""

_FEWEST_BETWEEN_BLANKS, _MOST_BETWEEN_BLANKS = 6, 14
"""Stimuli in a row. Source: house choice; in NSD's documented run they are 9 to 14."""


@dataclass(frozen=True)
class Experiment:
    """What nsd_expdesign.mat holds, counted from 1 as there; the same for all eight subjects but for ``subject_images``.

    Attributes
    ----------
    ordering : array of int, shape (n_trials,)
        Image of each trial, as a column of ``subject_images`` (masterordering).
    subject_images : array of int, shape (8, n_images)
        Each subject's images by their 73k IDs; the first tenth is the same for all (subjectim).
    stimulus_slots : array of bool, shape (n_sessions, 12, 75)
        Slots that hold a stimulus (stimpattern).
    """

    ordering: NDArray[np.int64]
    subject_images: NDArray[np.int64]
    stimulus_slots: NDArray[np.bool_]

    @property
    def n_shared(self) -> int:
        """Images that all subjects see."""
        return self.subject_images.shape[1] // 10

    @property
    def shared_images(self) -> NDArray[np.int64]:
        """73k IDs of the images that all subjects see, ascending (sharedix)."""
        return np.sort(self.subject_images[0, : self.n_shared])

    @property
    def repetition(self) -> NDArray[np.int64]:
        """Presentation of its image that each trial is, from 0, shape (n_trials,)."""
        by_image = np.argsort(self.ordering, kind="stable").reshape(-1, N_REPETITIONS)
        repetition = np.empty(len(self.ordering), dtype=np.int64)
        repetition[by_image] = np.arange(N_REPETITIONS)
        return repetition

    @property
    def repetitions_per_session(self) -> NDArray[np.int64]:
        """Trials of each session that show an image for the first, second and third time, shape (3, n_sessions) (basiccnt)."""
        sessions = self.repetition.reshape(-1, TRIALS_PER_SESSION)
        return np.stack([(sessions == repetition).sum(axis=1) for repetition in range(N_REPETITIONS)])

    def images_of_subject(self, subject: int) -> NDArray[np.int64]:
        """73k IDs of all images that a subject sees, ascending, shape (n_images,)."""
        return np.sort(self.subject_images[subject - 1])

    def designs(self, subject: int) -> NDArray[np.int64]:
        """Rows of the design files: the 73k ID in the row of an onset, else 0; shape (n_sessions, 12, 225)."""
        slots = np.zeros(self.stimulus_slots.shape, dtype=np.int64)
        slots[self.stimulus_slots] = self.subject_images[subject - 1, self.ordering - 1]
        designs = np.zeros((*slots.shape[:2], N_DESIGN_ROWS), dtype=np.int64)
        designs[:, :, ::TRS_PER_SLOT] = slots
        return designs


def design_experiment(config: SimulationConfig) -> Experiment:
    """An experiment of ``config.n_sessions`` sessions, in which each image is shown three times and never twice in a row."""
    rng = generator(config, Draw.EXPERIMENT)
    n_trials = config.n_sessions * TRIALS_PER_SESSION
    n_images = n_trials // N_REPETITIONS
    n_shared = n_images // 10
    n_own = n_images - n_shared
    ids = 1 + rng.permutation(N_NSD_IMAGES)[: n_shared + N_SUBJECTS * n_own]
    shared = np.broadcast_to(np.sort(ids[:n_shared]), (N_SUBJECTS, n_shared))
    own = np.sort(ids[n_shared:].reshape(N_SUBJECTS, n_own), axis=1)
    slots = [
        [
            draw_stimulus_slots(N_BLANKS_EVEN if run % 2 else N_BLANKS_ODD, rng)
            for run in range(RUNS_PER_SESSION)
        ]
        for _ in range(config.n_sessions)
    ]
    return Experiment(
        ordering=_order(n_images, rng),
        subject_images=np.concatenate([shared, own], axis=1),
        stimulus_slots=np.array(slots),
    )


def _order(n_images: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers 1 to n_images, three times each, no two successive ones equal."""
    order = rng.permutation(np.repeat(np.arange(1, n_images + 1), N_REPETITIONS))
    while (twice := np.flatnonzero(order[1:] == order[:-1])).size:
        # swapping two places at random parts the pair; should it make another, the loop goes on
        first, second = twice[0] + 1, rng.integers(len(order))
        order[[first, second]] = order[[second, first]]
    return order


def draw_stimulus_slots(n_blanks: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Slots of one run that hold a stimulus, shape (75,); blanks are spread over the run."""
    n_stimuli = N_SLOTS - N_BLANK_FIRST - N_BLANK_LAST - n_blanks
    in_a_row = np.zeros(n_blanks + 1, dtype=np.int64)
    while not (in_a_row.min() >= _FEWEST_BETWEEN_BLANKS and in_a_row.max() <= _MOST_BETWEEN_BLANKS):
        in_a_row = rng.multinomial(n_stimuli, np.full(n_blanks + 1, 1 / (n_blanks + 1)))
    slots = np.zeros(N_SLOTS, dtype=bool)
    slots[N_BLANK_FIRST : N_SLOTS - N_BLANK_LAST] = True
    slots[N_BLANK_FIRST + np.cumsum(in_a_row[:-1] + 1) - 1] = False
    return slots
