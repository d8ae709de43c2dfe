import copy
import pickle

import torch.multiprocessing

from posestructs.datasets.shared_marks import SharedMarks


def test_put_says_whether_it_is_the_first():
    marks = SharedMarks(300)
    assert [marks.put(3), marks.put(3), marks.put(299, 255), marks.put(-2, 7)] == [True, False, True, True]
    assert marks.total() == 1 + 255 + 7
    for i in range(300):
        marks.put(i, 255)
    assert marks.total() == 300 * 255


def test_copies_count_for_themselves():
    marks = SharedMarks(4)
    marks.put(1)
    for other in (copy.deepcopy(marks), pickle.loads(pickle.dumps(marks))):
        assert other.total() == 1
        other.put(2)
        assert (other.total(), marks.total()) == (2, 1)
        assert other._marks.is_shared()


def test_other_processes_write_the_same_marks():  # spawned ones: see the data loaders of test_base.py
    marks = SharedMarks(4)
    context = torch.multiprocessing.get_context('fork')
    workers = [context.Process(target=marks.put, args=(i,)) for i in (1, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert marks._marks.tolist() == [0, 1, 0, 1]
