#!/usr/bin/env python3
"""Makes tests/golden/codec/jinja.txt: small templates of our own, one for each thing that chat templates do, with what
Jinja2 makes of them in the environment of transformers' apply_chat_template.

    python3 tools/golden/jinja.py              # needs jinja2 (3.1.6 made the committed file)
    python3 tools/golden/jinja.py --against PROGRAM   # compares tests/build/render_chat instead

A line each: "T" the template and "V" its variables as JSON, "R" the text or "!" where Jinja2 refuses; all in hex.
"""
import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/build"))
from chat_templates import environment, run  # noqa: E402

VARIABLES = {
    "s": "Hello, World", "u": "stra\u00dfe \u03a3\u039f\u03a6\u039f\u03a3 \u01c6 \u0130 \U0001f600\u4e16", "blank": " \t a b\u00a0c \n", "empty": "",
    "n": 7, "neg": -7, "f": 2.5, "big": 123456789012, "t": True, "no": False, "nil": None,
    "l": [3, 1, 2], "words": ["b", "A", "c", "a"], "mixed": [1, "x", None, True, 2.5, [1], {"k": "v"}], "el": [],
    "d": {"b": 1, "a": {"x": [1, 2, {"y": "deep"}]}, "items": "key", "C": None}, "ed": {},
    "users": [{"name": "bo", "age": 3, "ok": True}, {"name": "Al", "age": 1, "ok": False}, {"name": "cy", "age": 2}],
    "html": "<a href='x'>&\"</a>", "lines": "one\ntwo\n\nthree", "quote": "it's \"q\" \\ \n\t\u0001\u007f\u00e9\u200b",
    "num": " 42 ", "hex": "ff", "float_text": "3.75e2", "inf": "inf", "nan": "NaN", "csv": "a,b,,c", "path": "x/y/z",
}

# Expressions, printed one by one.
EXPRESSIONS = r"""
1 + 2 * 3 - 4 // 3 ** 2 % 5
7 / 2, 7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 % -3, 7.5 % 2, -7.5 % 2, 7.5 // 2, -7.5 // 2, 2 ** 10, 2 ** -1, 2 ** 0.5
1 / 3, 1e16, 1e15, 123456789.0, 1e-5, 0.0001, 1.5e300, -0.0, 100.0, 1e22, 5e-324, 0.1 + 0.2
0x1F, 0o17, 0b101, 1_000, 1.5e3, 1_0.5
-2 ** 2, (-2) ** 2, 2 ** 3 ** 2, - 3, +4, +t, -t
'a' 'b' + 'c' ~ 1 ~ none ~ true ~ 2.5 ~ [1]
'x' * 3, 3 * 'ab', [1, 2] * 2, 'x' * 0, 'x' * -1
[1] + [2], (1,) + (2,)
1 < 2 < 3, 1 < 2 > 3, 1 == 1.0, 1 == true, 'a' < 'b', [1, 2] < [1, 3], 'a' == 'a' == 'a', 2 >= 2, 2 <= 1, 1 != 2
'a' in 'abc', 'x' not in 'abc', 1 in [1, 2], 'b' in d, 'z' in d, 2 not in (1, 2), '' in 'x', none in [none], 1 in {1: 2}
not true, not '', not el, not ed, not 0, not nil, not missing, not not 1
true and 'x', '' or 'y', none or 0, 1 and 2 or 3, 0 or '' or none
'a' if t else 'b', 'a' if no, ('a' if no else 'b' if no else 'c')
s[0], s[-1], s[1:5], s[::-1], s[::2], s[-3:], s[:-3], s[5:2], s[100:], s[3:1:-1], s[-1:-5:-2]
u[0], u[4], u[-1], u[::-1], u[2:9], u|length
l[0], l[-1], l[1:], l[::-1], l[::2], l[5:], (1, 2, 3)[1:], range(10)[2:8:2]|list, l[9] is defined
d.b, d['b'], d.a.x[2].y, d['a']['x'][2]['y'], d.items(), d['items'], d.missing is defined, d.get('b'), d.get('z'), d.get('z', 4)
d.keys()|list, d.values()|list, d.items()|list, d|list, d|length
[], (), {}, (1,), [1, 'a', none, true, 1.5, [2], (3, 4), {'k': 'v'}], {'a': 1, 2: 'b', none: [], 'a': 3}
mixed, quote, [quote], [u], ['it\'s', "say \"x\"", 'both \' "', '\\', '\n\r\t\x00\x7f\xe9\u2028\U0001F600\xad'], d
{'a': [1, {'b': (2,)}]}, [[]], [()], {'x': {}}, range(3), range(1, 10, 3), d.keys(), d.values(), ed.items()
'\a\b\f\v\101\x41\u0041\d\
z'
s|length, l|length, ed|count, 'abc'|first, 'abc'|last, l|first, l|last, el|first is defined, d|first, (1, 2)|last
l|sort, words|sort, words|sort(true), words|sort(case_sensitive=true), l|sort(reverse=true), users|sort(attribute='age')|map(attribute='name')|list, users|sort(attribute='ok,age') if no
l|min, l|max, words|min, words|max, words|max(case_sensitive=true), users|min(attribute='age'), el|min is defined
l|sum, [0.5, 1]|sum, users|sum(attribute='age'), l|sum(start=10), [[1], [2]]|sum(start=[])
words|join, l|join('-'), users|join(', ', attribute='name'), 'abc'|join('.'), mixed|join('|'), el|join('x'), d|join(','), [html, '<']|join('<')
words|unique|list, words|unique(true)|list, [1, 1.0, true, 2]|unique|list, users|unique(attribute='ok')|list|length
words|map('upper')|join, users|map(attribute='name')|list, users|map(attribute='ok', default='?')|list, [' a ', 'b ']|map('trim')|list, ['a-b']|map('replace', '-', '+')|list, [[1, 2], [3]]|map('length')|list, [[3, 1], [2]]|map('sort')|list, users|map(attribute='missing')|list|length
l|select('odd')|list, l|reject('odd')|list, l|select('gt', 1)|list, mixed|select|list, mixed|reject('none')|list, mixed|select('string')|list, l|select('in', [1, 2])|list, [0, 1]|select|list
users|selectattr('ok')|map(attribute='name')|list, users|rejectattr('ok')|map(attribute='name')|list, users|selectattr('age', 'equalto', 2)|list, users|selectattr('ok', 'defined')|list|length, users|selectattr('age', '>', 1)|list|length, users|rejectattr('ok', 'undefined')|list|length
users|selectattr('name', 'in', ['bo', 'cy'])|list|length, [{'a': {'b': 1}}, {'a': {'b': 2}}]|selectattr('a.b', 'eq', 2)|list, [[1, 2], [3, 4]]|map(attribute=1)|list, [[1, 2]]|map(attribute='0')|list
(l|map('string')) is iterable, (l|map('string')) is sequence, (el|select) and 'generators are true'
l|reverse|list, 'abc'|reverse, d|reverse|list, l|batch(2)|list, l|batch(2, 'x')|list, [1, 2, 3, 4, 5]|slice(2)|list, [1, 2, 3, 4, 5]|slice(3, 'f')|list
s|upper, s|lower, s|title, s|capitalize, u|upper, u|lower, u|title, u|capitalize, 'foo-bar baz (qux) [x] <y> {z} it\'s'|title, 'ALL CAPS'|capitalize
s.upper(), u.upper(), u.lower(), u.title(), 'foo-bar it\'s 3rd'.title(), u.capitalize(), '\u01c6x'.title(), '\u1f80'|upper, '\ufb01'|upper, '\u03a3'|lower, 'A\u03a3'|lower, 'A\u03a3b \u03a3. A\'\u03a3'|lower
blank|trim, blank.strip(), blank.lstrip(), blank.rstrip(), 'xxaxx'.strip('x'), 'xyaxy'.lstrip('yx'), 'a\u4e16\u4e16'.rstrip('\u4e16'), 'xax'|trim('x'), 42|trim, none|trim, '\x1c a \x85'|trim, 'abc'.strip(none)
csv.split(','), csv.split(',', 1), csv.split(',', 0), blank.split(), ' a b c '.split(none, 1), ' a b c '.split(maxsplit=2), 'a<>b<>c'.split('<>'), 'aaa'.split('aa'), csv.rsplit(',', 1), ' a b c '.rsplit(none, 1), ''.split(), ''.split(','), 'a b '.split(none, 1), ' a'.rsplit(none, 1)
lines.splitlines(), lines.splitlines(true), 'a\r\nb\rc\x0bd\u2028e\n'.splitlines(), path.partition('/'), path.rpartition('/'), path.partition('?'), path.rpartition('?')
s.startswith('He'), s.startswith(('x', 'H')), s.endswith('d'), s.endswith('x'), s.find('o'), s.rfind('o'), s.find('z'), u.find('\u4e16'), s.index('W'), s.count('l'), s.count(''), s.replace('l', 'L'), s.replace('l', 'L', 1), 'ab'.replace('', '-'), s.replace('l', ''), 'ab'.replace('', '-', 2)
s|replace('l', 'L'), s|replace('l', 'L', 1), 123|replace(2, 'x'), '-'.join(['a', 'b']), ''.join(words), ', '.join(d)
'abc'.isdigit(), '12'.isdigit(), ''.isdigit(), 'ab'.isalpha(), 'a1'.isalnum(), ' \t'.isspace(), 'ab'.islower(), 'AB1'.isupper(), 'aB'.isupper(), '1'.islower(), 'x'.zfill(3), '-5'.zfill(4), 'x'.center(5, '*'), 'ab'.center(5), 'x'.ljust(3) ~ '|', 'x'.rjust(3, '0'), 'abc'.removeprefix('a'), 'abc'.removesuffix('c'), 'abc'.removesuffix('x')
'{} {}'.format(1, 'x'), '{1} {0} {a}'.format(1, 2, a=3), '{{}} {:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd'), '{:05d} {:+d} {:x} {:X} {:b} {:o} {:,} {:_}'.format(42, 42, 255, 255, 5, 8, 1234567, 1234567), '{:.2f} {:8.3f} {:e} {:g} {:.1%}'.format(3.14159, 2.5, 12345.678, 0.0001, 0.256), '{!r} {!s}'.format('a', 'b'), '{:.2}'.format('abcdef'), '{}'.format(none), '{}'.format([1]), '{:5}|'.format(3), '{:5}|'.format(true), '{:>6.2f}|'.format(1.005)
'%s %d %5.2f %x %r %%' % ('a', 5, 2.5, 255, 'q'), '%s' % 'x', '%s' % [1], '%(a)s %(b)05d' % {'a': 1, 'b': 42}, '%-5s|%5s|' % ('a', 'b'), '%+d % d' % (5, 5), '%d' % 3.99, '%s %s' % (none, true), '%.2s' % 'abcdef', '%i' % 7, '%e' % 12345.678, '%c' % 'x' if no, '%5.1f|' % 2.25
'%s-%s'|format('a', 1), '%(x)s'|format(x=2)
s|default('x'), missing|default('x'), missing|default, ''|default('x'), ''|default('x', true), none|default('x'), none|d('x', boolean=true), d.zz|default('y'), 0|default(5, true)
s|string, 42|string, none|string, [1, 'a']|string, 1.0|string, true|string, missing|string
num|int, 'x'|int, 'x'|int(-1), hex|int(base=16), '0xff'|int(0, 16), 3.9|int, -3.9|int, '3.9'|int, none|int, true|int, '1_000'|int, ''|int, '-12'|int, '+12'|int, '1e3'|int, [1]|int(5), ' 7\n'|int, '0b11'|int(0, 2)
float_text|float, 'x'|float, 'x'|float(1.5), 3|float, num|float, inf|float, nan|float, '1_0.5'|float, none|float(2.0), '.5'|float, '5.'|float, true|float
2.5|round, 3.5|round, 2.675|round(2), 42.55|round(1), 42.55|round(1, 'ceil'), 42.55|round(1, 'floor'), 7|round, -2.5|round, 1.005|round(2), 1e20|round, 7|round(2, 'floor'), 12.3|round(0, 'ceil')
neg|abs, -2.5|abs, 3|abs, -0.0|abs, true|abs
d|items|list, ed|items|list, missing|items|list, d|dictsort, d|dictsort(true), {'a': 2, 'B': 1}|dictsort(by='value'), {'a': 2, 'B': 1}|dictsort(reverse=true)
lines|indent, lines|indent(2), lines|indent(2, true), lines|indent('> '), lines|indent(2, blank=true), ''|indent, 'a\n'|indent ~ '|', 'x'|indent(2, first=true)
s|truncate(5), s|truncate(9, true), s|truncate(9, false, '..', 0), s|truncate, 'foo bar baz qux'|truncate(11, false, '...', 0), 'foo bar baz qux'|truncate(9)
html|e, html|escape, html|safe, html|e|e, html|forceescape, html|safe|forceescape, (html|safe) + '<b>', '<b>' + (html|safe), (html|safe) ~ '<b>', [html|safe], (html|safe)|upper, (html|safe).replace('<', '>'), (html|e) * 2, '<%s>'|safe % html, '{}<'.format(html|safe), '{}<'|safe|string, ('<{}>'|safe).format(html), (html|safe).split('<'), (html|safe)[0:3] + '<', ('<'|safe).join(['>', '<'|safe]), [html|safe, '<']|join, (html|safe)|trim + '<', ('a\nb'|safe)|indent + '<', html|safe|string + '<', (html|safe)|title + '<', (html|safe)|length, (html|safe) == html, (html|safe)|replace('<', '>')
s|center(20) ~ '|', s|list, 'ab'|list, l|list, (1, 2)|list, range(3)|list, d|attr('b') is defined
d|tojson, mixed|tojson, u|tojson, u|tojson(ensure_ascii=true), quote|tojson, html|tojson, d|tojson(indent=2), d|tojson(indent=0), mixed|tojson(indent=4), el|tojson(indent=2), ed|tojson(indent=2), d|tojson(sort_keys=true), d|tojson(separators=(',', ':')), {'b': 1, 'a': 2}|tojson(indent=1, sort_keys=true), 1.0|tojson, 1e100|tojson, true|tojson, none|tojson, (1, 2)|tojson, {1: 2, none: 3, true: 4, 1.5: 6}|tojson, d|tojson(indent='--'), d|tojson(true), [[], {}]|tojson(indent=2), (1e400)|tojson if no, 'x'|safe|tojson
s is defined, missing is defined, missing is undefined, nil is none, s is string, 1 is string, l is iterable, 1 is iterable, d is mapping, l is mapping, l is sequence, d is sequence, s is sequence, 1 is sequence, 1 is number, 1.5 is number, true is number, 1 is integer, true is integer, 1.0 is float, true is boolean, 1 is boolean, true is true, 1 is true, no is false, 0 is false
missing is iterable, missing is sequence, missing is string, missing is mapping, missing is none, missing is number, nil is iterable, (l|map('string')) is string, d.items() is iterable, d.items() is sequence, d.items is defined, s.upper is callable, range is callable, missing is callable, nil is defined
3 is odd, 4 is even, 9 is divisibleby 3, 9 is divisibleby(2), 'abc' is lower, 'ABC' is upper, 'aB' is lower, 1 is sameas 1, nil is sameas none, 'x'|e is escaped, 'x' is escaped, 1 is in [1, 2], 'a' is in 'abc', 1 is eq 1, 1 is equalto(1), 2 is gt 1, 2 is lt 1, 2 is ge 2, 2 is le 1, 1 is ne 2, 1 is not none, 1 is not in [2], 'upper' is filter, 'nope' is filter, 'odd' is test, s is string and s is not none
missing == missing, missing == none, missing == '', missing ~ 'x', missing in [1], [missing]|length, missing|length, missing|list, missing|upper ~ '|', missing|join, missing or 'x', missing|first is defined
range(5)|list, range(2, 5)|list, range(10, 0, -3)|list, range(0)|list, 3 in range(5), range(5)|length, range(5)[1], range(3) == range(3)
dict(a=1, b=2), dict({'a': 1}, c=3), dict([('x', 1), ('y', 2)]), {'a': 1} == {'a': 1.0}, {'a': 1, 'b': 2} == {'b': 2, 'a': 1}, [1, 2] == (1, 2), (1,) == (1,), '1' == 1
strftime_now('%Y-%m-%d'), strftime_now('%d %b %Y'), strftime_now('%A, %B %d, %Y %H:%M:%S %p %I %j %y %a %U %W %w %u'), strftime_now('%-d %e %-m %D %T %F %R %c %x %X %% %G') if no, strftime_now('%e|%D|%T|%F|%R|%-d|%-m|%-H|%c|%x|%X|%%|%h|%C')
l.index(1), l.count(3), (1, 2).index(2), l.copy(), d.copy() == d
l.append is defined, d.pop is defined, s.__class__ is defined, d.__class__ is defined, s._x is defined, d.update is defined, s.nope is defined, 5 .nope is defined, none.x is defined
d.a['x'][0], d['a'].x[-1].y, (d.a).x|length, l|first + 1, l|last * 2, -(l|first), 'a' ~ l|join ~ 'b', s|lower|replace('l', '')|length, (s|lower).split(',')[0]
[a for a in l] if no else 1
{'x': s}['x'], {'x': {'y': [5]}}.x.y[0], [[1, 2], [3]][0][1], 'abc'[1], ('a', 'b')[0]
loop is defined, caller is defined, varargs is defined
l[0:2] + l[2:], s[:5] ~ s[5:], s[none:none], l[none:1], l[:none], s['upper'](), d['get']('b'), 'x'.upper().lower()
1 if 2 else 4 if 3 else 5, (1, 2)|first, [1, 2, 3,], {'a': 1,}, (1, 2,), 1,
1 is none or 2 is number, not 1 is none, not 1 == 2, -1 is number, 1 + 1 is even, 'a' ~ 'b' is string, ('a' ~ 1) is string
"""

# Whole templates.
TEMPLATES = [
    "plain", "", "\n", "a\n", "a\n\n", "a\r\nb\rc\n", "{{ s }}\n", "{{- s -}}", "  {{- s -}}  ", " {{ s }} ",
    "{# c #}a{#- c -#}  b  {#- c #}\nc{# multi\nline #}\n d\n  {# x #}\n e", "{% raw %}{{ x }}{% y %}{% endraw %}", "a\n  {%- raw -%}  {{ x }}  {%- endraw -%}  b",
    "  {% raw %}\n x {% endraw %}\ny", "a {%+ if t %} b {%+ endif +%}\n c", "  {%+ if t +%}\n b\n  {% endif %}\n c",
    "{% if t %}\n  a\n{% endif %}\nb\n  {% if t %}  \nc {% endif %} d", "x {% if t %} y {% endif %} z", "\t{% if t %}\ta\t{% endif %}\t\n",
    "{%- if t -%}\n  a \n{%- else -%} b {%- endif -%}\n c", "{% if no %}a{% elif nil %}b{% elif n > 5 %}c{% else %}d{% endif %}", "{% if t: %}x{% endif: %}",
    "{% for x in l %}{{ x }},{% endfor %}", "{% for x in el %}a{% else %}none{% endfor %}", "{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% else %}e{% endfor %}",
    "{% for x in l if x > 5 %}a{% else %}none{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|dictsort %}{{ loop.first }}{{ k }}{{ loop.last }} {% endfor %}",
    "{% for x in words %}{{ loop.index }} {{ loop.index0 }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.last }} {{ loop.length }} {{ loop.previtem }} {{ loop.nextitem }} {{ loop.cycle('x', 'y') }} {{ loop.depth }} {{ loop.depth0 }}\n{% endfor %}",
    "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}", "{% for x in words %}{% if loop.previtem is defined %}{{ loop.previtem }}<{% endif %}{{ x }}{% if loop.nextitem is defined %}>{{ loop.nextitem }}{% endif %} {% endfor %}",
    "{% for x in l %}{% for y in words %}{{ loop.index }}{{ x }}{{ y }} {% endfor %}{{ loop.index }}|{% endfor %}", "{% for x in 'ab\u4e16' %}[{{ x }}]{% endfor %}", "{% for x in missing %}a{% else %}undefined is empty{% endfor %}",
    "{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in l %}{% break %}{% else %}e{% endfor %}|", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}", "{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}", "{% if no %}{% set x = 2 %}{% endif %}{{ x is defined }}",
    "{% set ns = namespace(a=1, b=[]) %}{% for i in l %}{% set ns.a = ns.a + i %}{% set ns.b = ns.b + [i] %}{% endfor %}{{ ns.a }} {{ ns.b }} {{ ns['a'] }} {{ ns.zz is defined }}",
    "{% set ns = namespace({'x': 1}, y=2) %}{{ ns.x }}{{ ns.y }}{% set ns.z = 3 %}{{ ns.z }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}", "{% set x = 1, 2 %}{{ x }}", "{% set (a, b) = 'xy' %}{{ b }}{{ a }}",
    "{% set x %}a {{ s }} b{% endset %}[{{ x }}]", "{% set x | upper | replace('A', '*') %}abc{% endset %}{{ x }}", "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y is defined }}", "{% set ns = namespace() %}{% set ns.x %}blk{% endset %}{{ ns.x }}",
    "{% macro m(a, b=2, c='x' ~ a) %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c=4) }}{{ m(b=5, a=6) }}{{ m() }}", "{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m() %}{{ caller() }}{{ caller(1) if no }}{% endmacro %}{% call m() %}inner {{ s }}{% endcall %}", "{% macro m(items) %}{% for i in items %}{{ caller(i, loop.index) }}{% endfor %}{% endmacro %}{% call(x, n) m(words) %}<{{ x }}{{ n }}>{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% macro r(v, depth=0) %}{% if v is mapping %}{ {%- for k, x in v|dictsort %} {{ k }}:{{ r(x, depth + 1) }}{% endfor %} }{% elif v is iterable and v is not string %}[{% for x in v %}{{ r(x, depth + 1) }} {% endfor %}]{% else %}{{ depth }}{{ v }}{% endif %}{% endmacro %}{{ r(d) }}",
    "{{ later(1) if later is defined else 'not yet' }}{% macro later(x) %}L{{ x }}{% endmacro %}{{ later(2) }}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{{ g }}{% endmacro %}{% set g = 3 %}{{ a() }}", "{% macro m(x) %}{% set x = x ~ '!' %}{{ x }}{% endmacro %}{{ m('a') }}{{ x is defined }}",
    "{% macro m(a, b) %}{{ b is defined }}{{ b }}{% endmacro %}{{ m(1) }}", "{% set f = namespace(m=none) %}{% macro m(x) %}[{{ x }}]{% endmacro %}{% set f.m = m %}{{ f.m(1) }}{{ m.name }}", "{% macro m(x) -%}\n  {{ x }}\n{%- endmacro %}{{ m(1) ~ m(2) }}", "{% macro outer(x) %}{% macro inner(y) %}{{ x }}{{ y }}{% endmacro %}{{ inner(2) }}{% endmacro %}{{ outer(1) }}",
    "{% macro m(a=1, *b) %}{% endmacro %}", "{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m(caller=none) %}{{ caller }}{% endmacro %}{{ m() }}",
    "{% filter upper %}a {{ s }}{% endfilter %}", "{% filter replace('a', 'b') | trim %} aaa {% endfilter %}|", "{% with a = 1, b = 2 %}{{ a + b }}{% set c = 3 %}{{ c }}{% endwith %}{{ a is defined }}{{ c is defined }}", "{% set a = 5 %}{% with a = a + 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q is defined }}",
    "{% generation %}{{ s }}{% set zz = 1 %}{% endgeneration %}{{ zz is defined }}", "{% print s, 1 %}", "{% set g = l|map('string') %}{{ g|join }}|{{ g|join }}", "{% set g = users|selectattr('ok') %}{% for x in g %}{{ x.name }}{% endfor %}|{% for x in g %}{{ x.name }}{% else %}gone{% endfor %}", "{% set g = l|map('string') %}{{ g|first }}{{ g|list }}",
    "{% set ns = namespace(stop=false) %}{% for x in l if not ns.stop %}{{ x }}{% set ns.stop = true %}{% endfor %}", "{% set loop = 5 %}{% for x in l %}{{ loop.index }}{% endfor %}{{ loop }}", "{% for x in l %}{% if loop.last %}{{ loop.length }}{% endif %}{% endfor %}", "{% for x in l|map('string') %}{{ loop.last }}{{ loop.length }}{% endfor %}",
    "{{ raise_exception('no ' ~ s) }}", "{% if no %}{{ raise_exception('x') }}{% endif %}ok", "{{ missing.x }}", "{{ d.zz.y }}", "{{ missing + 1 }}", "{{ 'a' + 1 }}", "{{ 1 / 0 }}", "{{ l.append(1) }}", "{{ d.update({}) }}", "{{ s.nope() }}", "{{ missing() }}", "{{ 5() }}", "{{ none|length }}", "{{ l < 1 }}", "{{ s < missing }}",
    "{{ 'x'|nope }}", "{% if no %}{{ 'x'|nope }}{% endif %}ok", "{% if no %}{{ x is nope }}{% endif %}ok", "{{ 1 is nope }}", "{% nope %}", "{% if t %}", "{% endif %}", "{{ s", "{% for x in l %}", "{{ 1 + }}", "{{ (1 }}", "{{ [1, }}", "{{ 'a }}", "{# open", "{% raw %}", "{{ s | }}", "{{ a.b.c is }}", "{% set 1 = 2 %}", "{% set none = 2 %}", "{% set x %}", "{% macro m %}{% endmacro %}", "{% call 5 %}{% endcall %}", "{{ s ! t }}", "{{ 1 2 }}", "{% if t %}{% else %}{% elif no %}{% endif %}", "{% break %}", "{{ m(a=1, 2) }}", "{{ f(**d, 1) }}",
    "{% set s.x = 1 %}", "{% for a, b in l %}{% endfor %}", "{% set a, b = [1, 2, 3] %}", "{{ range(200000) }}", "{{ range(1, 2, 0) }}", "{{ l|sort(attribute='x') if no }}", "{{ mixed|sort }}", "{{ d|tojson(indent=2)|indent(4) }}", "{{ missing|tojson }}", "{{ s|tojson|tojson }}", "{{ [missing]|tojson }}", "{{ s.split('') }}", "{{ s.index('zz') }}", "{{ 'a'.join([1]) }}", "{{ '{} {}'.format(1) }}", "{{ '%d' % 'x' }}", "{{ '%s %s' % ('a',) }}", "{{ '%s' % ('a', 'b') }}", "{{ d|dictsort(by='z') }}", "{{ l|first|first }}", "{{ (l|map('string'))|length }}", "{{ 'a' in 5 }}", "{{ 5 in 'a' }}", "{{ m(1, 2) }}{% macro m(a) %}{% endmacro %}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=1) }}", "{{ dict(1) }}", "{{ namespace(_x=1).a }}", "{{ {}[[]] is defined }}", "{{ -s }}", "{{ s * s }}", "{{ l|int }}{{ l|sum(attribute='x') }}",
    "{{ range(3, *[5])|list }}{{ dict(**{'a': 1}) }}", "{{ l[1:2, 0] is defined }}{{ d[1:, 2] is defined }}", "{{ '{a}'.format(**{'a': s}) }}", "{{ s.replace(*['l', 'L']) }}",
    "{%- for message in users %}\n    {%- if message.ok is defined and message.ok %}\n        {{- '<|' + message.name + '|>\\n' }}\n    {%- else %}\n        {{- message['name'] | trim ~ '\\n' }}\n    {%- endif %}\n{%- endfor %}\n",
    "{% set content = '<think>a</think>b' %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}{{ content }}",
    "{{ s }}{%- if t %} x{% endif -%}  \n  y", "{{ '}}' }}{{ \"%}\" }}{{ {'a': {'b': 1}} }}", "{{ {'a':{}}}}", "{{'a'if t else'b'}}", "{%if t%}x{%endif%}", "{{-1}}", "a  {{-1}}", "{% set x=-1%}{{x}}", "{{ x.1 }}{{ l.0 }}", "{{ 1.5.real is defined if no }}", "{{ 'a'\n\n~ 'b' }}{% if missing.x %}{% endif %}",
    "\u00e9{{ u }}\u4e16 \u00a0{%- if t %}\u2003{%- endif %}", "{{ '\u00e9\\u00e9\\xe9' }}", "a\n\n  {%- if t %}\n\n b\n {% endif %}\n\n", "{%- set x = 1 -%}\n\n{{ x }}\n\n{%- set y = 2 %}\n{{ y }}", "{{ '\\n' }}\n", "{% for x in l %}\n  {{ x }}\n{% endfor %}\n", "{% for x in l -%}\n  {{ x }}\n{%- endfor %}\n",
]


def snippets():
    for line in EXPRESSIONS.strip().replace("\\\nz'", "\\<newline>z'").split("\n"):
        yield "{{ (" + line.replace("<newline>", "\n") + ") }}"
    yield from TEMPLATES


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", nargs="+", help="a program as tests/build/render_chat")
    options = parser.parse_args()
    import jinja2
    made = []
    for source in snippets():
        try:
            text = environment().from_string(source).render(**json.loads(json.dumps(VARIABLES))).encode()
        except Exception as problem:  # noqa: BLE001: whatever Python says
            text = None
            if options.against and source.startswith("{{ ("): # not meant to fail, but for a few
                print(f"Jinja2 refuses {source}: {problem}")
        made.append((source, text))
    if options.against:
        wrong = 0
        for (source, text), (got, detail) in zip(made, run(options.against, [(source, VARIABLES) for source, _ in made])):
            if got != text:
                wrong += 1
                print(f"{source!r}\n  Jinja2 {text}\n  here   {got if got is not None else detail}")
        print(f"{len(made)} templates, {wrong} wrong")
        return 1 if wrong else 0
    out = ROOT / "tests/golden/codec/jinja.txt"
    with open(out, "w", encoding="utf-8") as file:
        file.write(f"# Made by tools/golden/jinja.py with jinja2 {jinja2.__version__}.\n")
        file.write("V " + json.dumps(VARIABLES).encode().hex() + "\n")
        for source, text in made:
            file.write("T " + source.encode().hex() + "\n")
            file.write("R " + ("!" if text is None else text.hex()) + "\n")
    print(len(made), "templates,", out.stat().st_size, "bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
