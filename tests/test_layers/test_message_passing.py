"""Order of messages on trees by hand and at random, and both sweeps with numbers worked out by hand."""

import pytest
import torch

from posestructs.layers.message_passing import DOWN, UP, Message, message_steps, pass_messages, update
from posestructs.structures import build_tree


def tree_of(parents):
    return build_tree(dict(names=[f'part {i}' for i in range(len(parents))], parents=parents))


def random_tree(number, parts=12):
    generator = torch.Generator().manual_seed(number)
    order = torch.randperm(parts, generator=generator).tolist()
    parents = [-1] * parts
    for place, part in enumerate(order[1:], 1):
        parents[part] = order[int(torch.randint(place, (), generator=generator))]
    return tree_of(parents)


def test_steps_by_hand():
    # 2 is the root, 0 and 3 are its children, 1 and 4 those of 3
    tree = tree_of([2, 3, -1, 2, 3])
    steps = message_steps(tree.parents, tree.levels, (UP, DOWN))
    assert steps == (
        (Message(UP, 1, 3), Message(UP, 4, 3), Message(DOWN, 2, 0), Message(DOWN, 2, 3)),
        (Message(UP, 0, 2), Message(UP, 3, 2), Message(DOWN, 3, 1), Message(DOWN, 3, 4)),
    )
    assert message_steps(tree.parents, tree.levels, (DOWN,)) == tuple(step[2:] for step in steps)
    assert message_steps(tree.parents, tree.levels, ()) == ()
    assert [message.child for message in steps[0]] == [1, 4, 0, 3]


@pytest.mark.parametrize('number', range(5))
def test_a_sender_has_heard_all_before_it_speaks(number):
    tree = random_tree(number)
    steps = message_steps(tree.parents, tree.levels, (UP, DOWN))
    arrived = set()
    for step in steps:
        for sweep, sender, receiver in step:
            neighbours = tree.children[sender] if sweep == UP else [tree.parents[sender]]
            assert all((sweep, k, sender) in arrived for k in neighbours if k >= 0)
            assert (receiver, sender)[sweep] == tree.parents[(sender, receiver)[sweep]]
        arrived |= set(step)
    assert len(arrived) == sum(map(len, steps)) == 2 * (tree.num_parts - 1)
    assert len(steps) == len(tree.levels) - 1


def test_sweeps_by_hand():
    # root 0 with children 1 and 2; 3 is a child of 1. A message is the sender's value times -1, 10, 100 by the child.
    tree = tree_of([-1, 0, 0, 1])
    factor = {1: -1.0, 2: 10.0, 3: 100.0}
    own = [[torch.tensor(float(v)) for v in values] for values in ((1, -150, 3, 2), (1, 4, -20, -7))]

    def send(step, senders):
        return [factor[message.child] * x for message, x in zip(step, senders, strict=True)]

    up, down = pass_messages(own, message_steps(tree.parents, tree.levels, (UP, DOWN)), send)
    # 3: 2; 2: 3; 1: f(-150 + 100 * 2) = 50; 0: f(1 - 50 + 30) = 0
    assert [float(x) for x in up] == [0, 50, 3, 2]
    # 0: 1; 1: f(4 - 1) = 3; 2: f(-20 + 10) = 0; 3: f(-7 + 300) = 293
    assert [float(x) for x in down] == [1, 3, 0, 293]
    # without messages every part keeps its own, rectified
    up, down = pass_messages(own, message_steps(tree.parents, tree.levels, (UP,)), send)
    assert [float(x) for x in up] == [0, 50, 3, 2] and [float(x) for x in down] == [1, 4, 0, 0]


def test_update_rectifies_the_sum():
    own, summed = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([-4.0, 5.0, 0.5])
    assert update(own, summed).tolist() == [0.0, 3.0, 3.5]
    assert update(own).tolist() == [1.0, 0.0, 3.0]


def test_every_message_sent_is_needed():
    with pytest.raises(ValueError):
        pass_messages([[torch.zeros(1)] * 2] * 2, [(Message(UP, 1, 0),)], lambda step, senders: [])
