# The public names and the modules that define them: the one list, for type checkers and for `staypower.lazy`.
from staypower import features as features
from staypower import metrics as metrics
from staypower.config.loading import load_config as load_config
from staypower.errors import UsageError as UsageError
from staypower.models.churn import ChurnClassifier as ChurnClassifier
from staypower.models.tier import LoyaltyTierClassifier as LoyaltyTierClassifier
from staypower.pipelines.actions import actions as actions
from staypower.pipelines.arguments import read_tables as read_tables
from staypower.pipelines.audit import audit as audit
from staypower.pipelines.backtest import backtest as backtest
from staypower.pipelines.check import check as check
from staypower.pipelines.compare import compare as compare
from staypower.pipelines.demo import demo as demo
from staypower.pipelines.evaluate import evaluate as evaluate
from staypower.pipelines.explain import explain as explain
from staypower.pipelines.features import build_dataset as build_dataset
from staypower.pipelines.features import build_features as build_features
from staypower.pipelines.features import list_features as list_features
from staypower.pipelines.init import propose as propose
from staypower.pipelines.list_models import list_models as list_models
from staypower.pipelines.models import promote as promote
from staypower.pipelines.models import rollback as rollback
from staypower.pipelines.monitor import monitor as monitor
from staypower.pipelines.open_scorer import OpenScorer as OpenScorer
from staypower.pipelines.open_scorer import open_scorer as open_scorer
from staypower.pipelines.portfolio import portfolio as portfolio
from staypower.pipelines.report import report as report
from staypower.pipelines.score import score as score
from staypower.pipelines.train import train as train
from staypower.pipelines.tune import tune as tune
from staypower.pipelines.verify import verify as verify
from staypower.simulation.company import simulate as simulate

__version__: str
__all__: list[str]
