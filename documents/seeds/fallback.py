"""Makes what no vocabulary covers: texts that match a pattern, numbers within limits, rare types.

Import it only where it is needed: polyfactory brings Faker along, which takes longer to load than all of Sheaf.
"""

from random import Random

from faker import Faker
from polyfactory.exceptions import FactoryException
from polyfactory.factories.pydantic_factory import ModelFactory
from pydantic import BaseModel

from documents.seeds.plausible import Maker
from documents.seeds.scene import Scene


def fallback(model: type[BaseModel], name: str) -> Maker | str:
    """Return a maker of values for a field, by its type and limits alone; or in a few words why there is none.

    Args:
        model: Has the field.
        name: In Python, not its alias.
    """
    random, faker = Random(), Faker()  # noqa: S311  # data to try things with
    factory = ModelFactory.create_factory(model, __random__=random, __faker__=faker, __allow_none_optionals__=False)
    [meta] = [meta for meta in factory.get_model_fields() if meta.name in (name, model.model_fields[name].alias)]

    def make(scene: Scene) -> object:
        # Both follow the document's own randomness, so that it is made alike whatever was made before it.
        state = scene.random.getrandbits(64)
        random.seed(state)
        faker.seed_instance(state)
        return factory.get_field_value(meta)

    try:
        make(Scene(Random(0), 0))  # noqa: S311  # likewise
    except (FactoryException, ArithmeticError, LookupError, TypeError, ValueError) as error:
        return str(error).partition("\n")[0] or "its limits fit no type that can be made"
    return make
