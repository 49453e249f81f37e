r"""Simulated subjects in NSD's on-disk layout, with a known answer.

The forward model. Trial n starts at ``t_n`` and shows an image with features ``f_n`` (low-resolution pixels, background, categories,
colours, position; each standardized over the subject's images). Voxel v is tuned to some of them.

Neural level, at latency ``tau`` since the onset:

    x_vn(tau) = e(tau) * [m_v + g * (cos(theta(tau)) * w_v1 + sin(theta(tau)) * w_v2) . f_n]

    e(tau)      1 for 0 <= tau < L, else 0. L is 3 s, as long as the image, for the static code, activity_s for the others.
    theta(tau)  rotation_deg_per_s * tau for the rotating code, 0 for the others.
    w_v1, w_v2  tuning. Early voxels look at pixels around a place of their own, the others at what is written in neural.STREAM_FEATURES. Over
                the subject's images w_v1 . f and w_v2 . f have mean 0, SD 1 and correlation 0 in every voxel, so that the cosine
                similarity of the pattern between two latencies is cos(theta(tau) - theta(tau')), exactly.
    m_v         mean response: uniform on [0.5, 1.5] * mean_response * sigma.
    g           gain of the pattern, one for all voxels, set such that the signal-to-noise ratio is config.snr (below).

BOLD level:

    s_v(t) = sum_n integral h_v(t - t_n - tau) x_vn(tau) dtau
    y_v(t) = round(b_v + s_v(t) + d_v(t) + z_v(t)),  int16, at t = 0, TR, 2 TR, ...

    h_v         double gamma (data.hrf) with time to peak p_v, scaled such that 3 s of activity 1 evoke a response that peaks at 1; the p_v are evenly
                spaced over config.time_to_peak_s and dealt to the voxels at random.
    z_v         noise: AR(1), z_v(t) = rho z_v(t - TR) + sqrt(1 - rho^2) sigma eps, SD sigma = 30, rho = noise_ar1.
    d_v         drift: four half-cosines with random weights in each run (periods of 600 s to 150 s), SD drift * sigma on average.
    b_v         baseline: uniform on [800, 1200]. Rounding thus adds less than 1 % of sigma.

Voxels of the brain outside nsdgeneral have baseline, drift and noise, and no response. Outside the brain all is 0.

**Signal-to-noise ratio.** Let ``q_v(t)`` be the part of s_v(t) that g multiplies, g included. Then

    snr = (mean over voxels v of nsdgeneral of SD_t(q_v)) / sigma

with the SD over all volumes of all runs that hold stimuli. snr = 0 leaves the mean response and takes the pattern away.

**Files.** Names, shapes and types are NSD's (:mod:`tempgen.data.nsd_layout`), the volumes smaller. Rows of images that no simulated subject saw
stay unwritten in nsd_stimuli.hdf5, which reads as black. Image ``id`` (as in the designs, from 1) is
``render_scene(id, seed=config.seed, size=config.image_size)``. What the simulator put in lies in ``simulation/subjXX_truth.nc``.
"""

from tempgen.config.simulation import SimulationConfig
from tempgen.data.simulate.subjects import simulate_nsd
from tempgen.data.simulate.truth import open_truth

__all__ = ["SimulationConfig", "open_truth", "simulate_nsd"]
