"""The Natural Scenes Dataset's own terms: where they stand, what they ask for, and the agreement without which nothing is fetched."""

from __future__ import annotations

from tempgen.errors import ConfigError

TERMS_URL = "https://cvnlab.slite.page/p/IB6BSeW_7o/Terms-and-Conditions"
"""NSD's Data Sharing and Usage Agreement, in the NSD Data Manual."""
HOME_URL = "https://naturalscenesdataset.org"
"""Leads to the data access form."""
PAPER = "Allen et al. 2022, Nature Neuroscience 25:116-126, doi:10.1038/s41593-021-00962-x"

SUMMARY = f"""\
The Natural Scenes Dataset belongs to its authors, who give access to it under an agreement. In short, you agree

  - to use it for research and education only;
  - not to pass it or parts of it on to anybody, nor to sell it or make money with it;
  - to see to it that everybody in your team who uses it keeps to the agreement;
  - to keep to the rules of your institution and its review board;
  - not to try to identify the participants, and to report at once if you come to know who they are.

This is a summary; what binds you is the full text: {TERMS_URL}
NSD also asks you to fill in its data access form before: {HOME_URL}
Cite {PAPER}.
The images are from Microsoft COCO, which has terms of its own: https://cocodataset.org/#termsofuse"""


def require_agreement(accepted: bool) -> None:
    """Refuse to fetch anything of NSD without agreement to its terms.

    Raises
    ------
    ConfigError
        If they were not accepted.
    """
    if not accepted:
        raise ConfigError(
            f"NSD is downloaded only by those who agree to its terms ({TERMS_URL}), and nobody did. Read them, then answer yes "
            "at a terminal, or pass --accept-terms in a script."
        )
