// SPDX-License-Identifier: Apache-2.0
//
// Which methods a client has, and which of them our cases have called.
//
// Every public property of the given prototypes (no leading underscore) is
// wrapped: a call from a file of this folder that did not fail is noted, calls
// among the client's own methods are not. What was never called is a hole in
// the tests, so that a method of a later version cannot be forgotten.
"use strict";

const here = `${__dirname}/`;
const methods = new Map(); // "Bucket.getData" -> successful calls

// The frame that called the wrapper is the third line of the stack.
function ours() {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 3;
  const line = new Error().stack.split("\n")[3] || "";
  Error.stackTraceLimit = stackTraceLimit;
  return line.includes(here);
}

function note(name, result) {
  if (result && typeof result.then === "function") {
    result.then(
      () => methods.set(name, methods.get(name) + 1),
      () => {}
    );
  } else {
    methods.set(name, methods.get(name) + 1);
  }
  return result;
}

function wrapped(name, fn) {
  return function (...args) {
    const result = fn.apply(this, args);
    return ours() ? note(name, result) : result;
  };
}

// A getter may give the method, and put it into the instance (decorators do).
function wrappedGetter(name, key, get) {
  return function () {
    const value = get.call(this);
    const own = Object.getOwnPropertyDescriptor(this, key);
    if (typeof value === "function" && !/^class\b/.test(value)) {
      const fn = wrapped(name, value);
      if (own && own.value === value) {
        Object.defineProperty(this, key, { ...own, value: fn });
      }
      return fn;
    }
    return ours() ? note(name, value) : value;
  };
}

// watch LABEL: all public properties of an object's prototypes.
function watch(label, object) {
  for (
    let proto = Object.getPrototypeOf(object);
    proto && proto !== Object.prototype;
    proto = Object.getPrototypeOf(proto)
  ) {
    for (const key of Object.getOwnPropertyNames(proto)) {
      if (key === "constructor" || key.startsWith("_")) {
        continue;
      }
      const name = `${label}.${key}`;
      const property = Object.getOwnPropertyDescriptor(proto, key);
      methods.set(name, methods.get(name) || 0);
      if (typeof property.value === "function") {
        property.value = wrapped(name, property.value);
      } else if (property.get) {
        property.get = wrappedGetter(name, key, property.get);
      }
      Object.defineProperty(proto, key, property);
    }
  }
}

module.exports = {
  watch,
  all: () => [...methods.keys()],
  missing: () => [...methods.keys()].filter((name) => !methods.get(name)),
};
