# SPDX-License-Identifier: Apache-2.0
"""Who may do what in Kinto: a second, slow reading of the specification.

Written from section 06 alone, as a tree in memory that is walked for every
question, and without a look at how the server decides (bounds of ACEs, joined
in the database). tests/http/permissions.py asks both the same questions.

Objects are named by their URI; kinds are bucket, group, collection, record.
"""
EVERYONE, AUTHENTICATED = 'system.Everyone', 'system.Authenticated'

SETTABLE = {
    'bucket': ('read', 'write', 'collection:create', 'group:create'),
    'collection': ('read', 'write', 'record:create'),
    'group': ('read', 'write'),
    'record': ('read', 'write'),
}


def kind_of(uri):
    """'' for the root; of an object or a place where one could be."""
    parts = uri.split('/')[1:]
    return {0: '', 2: 'bucket', 6: 'record'}.get(len(parts)) if \
        len(parts) != 4 else parts[2][:-1]


def parent_of(uri):
    return uri.rsplit('/', 2)[0]


def plural(parent, kind):
    return '%s/%ss' % (parent, kind)


class Thing:
    def __init__(self, acl=None, members=()):
        self.acl = {p: set(w) for p, w in (acl or {}).items()}
        self.members = set(members)


class Model:
    """settings: `<kind>_<permission>_principals` -> set of principals."""

    def __init__(self, settings, explicit):
        self.settings, self.explicit = settings, explicit
        self.things = {}                # URI -> Thing

    # ---- the tree --------------------------------------------------------

    def children(self, parent, kind):
        prefix = plural(parent, kind) + '/'
        return {u for u in self.things
                if u.startswith(prefix) and '/' not in u[len(prefix):]}

    def add_writer(self, thing, user):
        if self.explicit:
            thing.acl.setdefault('write', set()).add(user or EVERYONE)

    def create(self, uri, user, acl, members=()):
        thing = self.things[uri] = Thing(acl, members)
        self.add_writer(thing, user)

    def replace(self, uri, user, acl, members=()):
        """PUT: permissions that are given clear the others (03-6.2)."""
        thing = self.things[uri]
        thing.members = set(members)
        if acl:
            thing.acl = {p: set(w) for p, w in acl.items()}
        self.add_writer(thing, user)

    def patch(self, uri, user, acl):
        thing = self.things[uri]
        thing.acl.update({p: set(w) for p, w in (acl or {}).items()})
        self.add_writer(thing, user)

    def remove(self, uri):
        for other in list(self.things):
            if other == uri or other.startswith(uri + '/'):
                del self.things[other]

    # ---- principals (06-1, 06-10) -----------------------------------------

    def principals(self, user):
        if user is None:
            return {EVERYONE}
        return {EVERYONE, AUTHENTICATED, user} | {
            uri for uri, thing in self.things.items()
            if thing.members & {user, AUTHENTICATED}}

    # ---- decisions (06-3, 06-4) -------------------------------------------

    def has(self, user, kind, candidates):
        """Any of these ACEs, or the setting that stands for it."""
        mine = self.principals(user)
        for uri, permission in candidates:
            thing = self.things.get(uri)
            if thing and thing.acl.get(permission, set()) & mine:
                return True
            if permission.startswith(kind + ':'):
                permission = 'create'
            name = '%s_%s_principals' % (kind, permission)
            if self.settings.get(name, set()) & mine:
                return True
        return False

    def may_write(self, user, uri):
        kind, chain = kind_of(uri), []
        while uri:
            chain.append((uri, 'write'))
            uri = parent_of(uri)
        return self.has(user, kind, chain)

    def own_read(self, kind):
        """Permissions on an object itself that let one GET it."""
        return SETTABLE[kind]

    def may_read(self, user, uri):
        kind = kind_of(uri)
        chain = [(uri, p) for p in self.own_read(kind)]
        uri = parent_of(uri)
        while uri:
            chain += [(uri, 'read'), (uri, 'write')]
            uri = parent_of(uri)
        return self.has(user, kind, chain)

    def may_create(self, user, parent, kind):
        if kind == 'bucket':
            return self.has(user, kind, [('', 'bucket:create')])
        chain = [(parent, kind + ':create')]
        while parent:
            chain.append((parent, 'write'))
            parent = parent_of(parent)
        return self.has(user, kind, chain)

    def may_list(self, user, parent, kind):
        if kind == 'bucket':
            return self.has(user, kind, [('', 'read')])
        chain = []
        while parent:
            chain += [(parent, 'read'), (parent, 'write')]
            parent = parent_of(parent)
        return self.has(user, kind, chain)

    def may_delete_list(self, user, parent, kind):
        if kind == 'bucket':
            return self.has(user, kind, [('', 'write')])
        chain = []
        while parent:
            chain.append((parent, 'write'))
            parent = parent_of(parent)
        return self.has(user, kind, chain)

    # ---- requests (06-3.2, 06-6): (status, what else can be seen) -----------

    @staticmethod
    def refused(user):
        return 401 if user is None else 403

    def shown(self, mine, uri):
        """`permissions` in an answer (03-2.1), to who had these principals
        when the request came: a change of groups counts from the next on."""
        acl = self.things[uri].acl
        if not acl.get('write', set()) & mine:
            return {}
        return {p: w for p, w in acl.items() if w}

    def lost(self, uri):
        """A record whose collection is missing (08-5)."""
        return kind_of(uri) == 'record' and parent_of(uri) not in self.things

    def get(self, user, uri):
        mine = self.principals(user)
        if not self.may_read(user, uri):
            return self.refused(user), None
        if uri not in self.things:
            return 404, None
        return 200, self.shown(mine, uri)

    def put(self, user, uri, acl, members=()):
        mine = self.principals(user)
        if self.lost(uri):
            return 404, None
        if uri in self.things:
            if not self.may_write(user, uri):
                return self.refused(user), None
            self.replace(uri, user, acl, members)
            return 200, self.shown(mine, uri)
        if not self.may_create(user, parent_of(uri), kind_of(uri)):
            return self.refused(user), None
        self.create(uri, user, acl, members)
        return 201, self.shown(mine, uri)

    def post(self, user, uri, acl, members=()):
        """POST of an object with that id."""
        mine = self.principals(user)
        if self.lost(uri):
            return 404, None
        if uri in self.things:
            if not self.may_read(user, uri):
                return self.refused(user), None
            return 200, self.shown(mine, uri)
        if not self.may_create(user, parent_of(uri), kind_of(uri)):
            return self.refused(user), None
        self.create(uri, user, acl, members)
        return 201, self.shown(mine, uri)

    def change(self, user, uri):
        """The status of a PATCH or DELETE."""
        if self.lost(uri):
            return 404
        if uri in self.things:
            return 200 if self.may_write(user, uri) else self.refused(user)
        parent, kind = parent_of(uri), kind_of(uri)
        return 404 if self.may_list(user, parent, kind) else \
            self.refused(user)

    def patch_request(self, user, uri, acl):
        mine = self.principals(user)
        status = self.change(user, uri)
        if status != 200:
            return status, None
        self.patch(uri, user, acl)
        return 200, self.shown(mine, uri)

    def delete(self, user, uri):
        status = self.change(user, uri)
        if status == 200:
            self.remove(uri)
        return status, None

    def select(self, user, parent, kind, whole, permissions):
        """The ids of a list that is whole, shared, or empty (06-6)."""
        if kind == 'record' and parent not in self.things:
            # Only who may see the list learns that there is none.
            return (404 if whole or self.may_create(user, parent, kind)
                    else self.refused(user)), None
        there = self.children(parent, kind)
        if whole:
            return 200, there
        mine = self.principals(user)
        shared = {u for u in there if any(
            self.things[u].acl.get(p, set()) & mine for p in permissions)}
        if shared or self.may_create(user, parent, kind):
            return 200, shared
        return self.refused(user), None

    def list(self, user, parent, kind):
        return self.select(user, parent, kind,
                           self.may_list(user, parent, kind),
                           self.own_read(kind))

    def delete_list(self, user, parent, kind):
        status, gone = self.select(
            user, parent, kind, self.may_delete_list(user, parent, kind),
            ('write',))
        for uri in gone or ():
            self.remove(uri)
        return status, gone
