"""The steps of an analysis, from its file to its figures; each keeps what is done and refuses to mix analyses."""

from tempgen.workflow.evaluation import evaluate_decoders
from tempgen.workflow.figures import draw_figures
from tempgen.workflow.places import Places
from tempgen.workflow.reconstruction import reconstruct_images
from tempgen.workflow.recording import prepare_recording, simulate_recording
from tempgen.workflow.run import example_results, run_analysis
from tempgen.workflow.score import score_reconstructions
from tempgen.workflow.training import train_decoders

__all__ = [
    "Places",
    "draw_figures",
    "evaluate_decoders",
    "example_results",
    "prepare_recording",
    "reconstruct_images",
    "run_analysis",
    "score_reconstructions",
    "simulate_recording",
    "train_decoders",
]
