# The public names and the modules that define them: the one list, for type checkers and for `staypower.lazy`.
from staypower.features.aggregations import AGGREGATIONS as AGGREGATIONS
from staypower.features.aggregations import Aggregation as Aggregation
from staypower.features.builder import FeatureMatrix as FeatureMatrix
from staypower.features.catalogue import Catalogue as Catalogue
from staypower.features.definition import LEVERS as LEVERS
from staypower.features.definition import Combination as Combination
from staypower.features.definition import Feature as Feature
from staypower.features.definition import Filter as Filter
from staypower.features.definition import Template as Template

__all__: list[str]
