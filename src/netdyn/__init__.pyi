from netdyn.analysis.monitor import Monitor as Monitor
from netdyn.analysis.reading import read as read
from netdyn.errors import NetdynError as NetdynError
from netdyn.measures.basins.bracketing import find_basins as find_basins
from netdyn.measures.basins.sizes import basin_size as basin_size
from netdyn.measures.basins.sizes import sample_noise_correct as sample_noise_correct
from netdyn.measures.basins.sizes import weight_noise_correct as weight_noise_correct
from netdyn.measures.ranks.rpd import rank_probability as rank_probability
from netdyn.measures.ranks.rpd import rank_statistics as rank_statistics
from netdyn.measures.ranks.rpd import rpd_gradient as rpd_gradient
from netdyn.networks.lmap import linear_map as linear_map
from netdyn.networks.lmap import linear_maps as linear_maps
from netdyn.networks.lmap import prune as prune
from netdyn.networks.mlp import MLP as MLP
from netdyn.networks.reading import local_fields as local_fields
from netdyn.networks.reading import logits as logits
from netdyn.plots import plot as plot
from netdyn.results.runs import load_model as load_model

__version__: str
