"""From YAML to a frozen experiment and its runs: settings, overrides, expansion, run identity.

It knows which parts exist, but imports none of them, and never jax.
"""

from landscape.config.compare_settings import CompareSettings
from landscape.config.conditions import (
    Condition,
    compare_settings,
    conditions,
    reference_label,
)
from landscape.config.execution import Execution, Resources
from landscape.config.expansion import expand, option_points, runs_at
from landscape.config.fields import EvaluationSettings, Experiment, GradientSettings, Run
from landscape.config.loading import (
    dump,
    experiment_from,
    from_values,
    load,
    options,
    run_from,
    schema,
    with_places,
)
from landscape.config.measured import (
    COMPUTED,
    AcrossSettings,
    CurvatureSettings,
    Lines,
    Planes,
    SliceSettings,
)
from landscape.config.part_names import metric_names
from landscape.config.parts import (
    DatasetPart,
    DirectionPart,
    LossPart,
    MetricPart,
    ModelPart,
    OptimizerPart,
    Part,
    PointPart,
    SchedulePart,
)
from landscape.config.run_identity import same_training
