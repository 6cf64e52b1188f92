# SPDX-License-Identifier: Apache-2.0
"""Which methods a client has, and which of them our cases have called.

Public functions of classes and modules are wrapped; a call from a file of
this folder is noted when it succeeds, or when it is inside `refusals()`, where
the server's no is what is expected.
"""

import contextlib
import functools
import inspect
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
calls = {}
expected = 0


def _note(name):
    calls[name] += 1


def _wrapped(name, function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        ours = sys._getframe(1).f_code.co_filename.startswith(HERE)
        try:
            result = function(*args, **kwargs)
        except Exception:
            if ours and expected:
                _note(name)
            raise
        if not ours:
            return result
        if inspect.iscoroutine(result):
            return _finish(name, result)
        _note(name)
        return result

    return call


async def _finish(name, coroutine):
    try:
        result = await coroutine
    except Exception:
        if expected:
            _note(name)
        raise
    _note(name)
    return result


def watch(owner, label=None):
    """All public functions of a class, inherited ones too, or of a module."""
    label = label or owner.__name__
    for name, function in inspect.getmembers(owner, inspect.isfunction):
        if name.startswith("_"):
            continue
        if inspect.ismodule(owner) and function.__module__ != owner.__name__:
            continue
        key = "%s.%s" % (label, name)
        calls.setdefault(key, 0)
        setattr(owner, name, _wrapped(key, function))


@contextlib.contextmanager
def refusals():
    global expected
    expected += 1
    try:
        yield
    finally:
        expected -= 1


def missing():
    return [name for name, n in calls.items() if n == 0]
