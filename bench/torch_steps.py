"""What the speed benches share: a decoder of torch's that goes token by token, eager or compiled, and how two programs are
compared.

Steps with a cache are written out here once, for any layers: eager ones look at the keys that there are, compiled ones at
all with a mask, so that every step is of one shape and compiled once.
"""
import argparse
import json
import resource
import statistics
import subprocess
import time

import torch
from torch.nn import functional as F


class Decoder:
    """A token at a time of `rows` sequences in step.

    layers  of (norm, query, key, value, output, second norm, feed-forward), each a callable on [rows, C]
    embed   (tokens [rows], place [1]) -> [rows, C]         head  [rows, C] -> [rows, V]
    turn    (queries or keys [rows, H, 1, D], place [1]) -> the same, with their positions in them
    groups  heads of keys and values; as many as of queries
    """

    def __init__(self, layers, embed, head, turn, heads, width, context, rows=1, is_compiled=False, groups=None):
        self.layers, self.embed, self.head, self.turn = layers, embed, head, turn
        self.heads, self.width, self.context, self.rows = heads, width, context, rows
        self.groups = groups or heads
        self.run = torch.compile(self.masked) if is_compiled else self.eager
        self.start()

    def start(self):
        shape = (self.rows, self.groups, self.context, self.width // self.heads)
        self.keys, self.values = ([torch.zeros(shape) for _ in self.layers] for _ in range(2))

    def logits(self, tokens, at):
        """[rows, V], behind a token of each sequence at a place."""
        return self.run(torch.tensor(tokens), torch.tensor([at]))

    def masked(self, tokens, at):
        mask = (torch.arange(self.context) <= at)[None]
        return self.step(tokens, at, self.context, mask)

    def eager(self, tokens, at):
        return self.step(tokens, at, int(at) + 1, None)

    def step(self, tokens, at, seen, mask):
        x = self.embed(tokens, at)
        for i, (norm, query, key, value, output, second, mlp) in enumerate(self.layers):
            y = norm(x)
            q, k, v = (each(y).view(self.rows, -1, 1, self.width // self.heads) for each in (query, key, value))
            self.keys[i].index_copy_(2, at, self.turn(k, at))
            self.values[i].index_copy_(2, at, v)
            y = F.scaled_dot_product_attention(self.turn(q, at), self.keys[i][:, :, :seen], self.values[i][:, :, :seen],
                                               attn_mask=mask, enable_gqa=self.groups != self.heads)
            x = x + output(y.reshape(self.rows, -1))
            x = x + mlp(second(x))
        return self.head(x)

    def check(self, tokens, whole):
        """The steps are those of the model: the same logits [T, V] as a pass over all, of the first sequence."""
        self.start()
        with torch.no_grad():
            steps = torch.stack([self.logits([token] * self.rows, at)[0] for at, token in enumerate(tokens)])
        assert (steps - whole).abs().max() < 1e-3 * whole.abs().max(), (steps - whole).abs().max()

    def draw(self, tokens, count, choose):
        """Makes so many tokens: choose(logits [rows, V]) gives one for all rows."""
        self.start()
        with torch.no_grad():
            for at in range(count):
                tokens = [choose(self.logits(tokens, at))] * self.rows
        return count


def layers_of(body):
    """The layers of a model with the names of Llama's, as Decoder takes them."""
    return [(each.input_layernorm, each.self_attn.q_proj, each.self_attn.k_proj, each.self_attn.v_proj,
             each.self_attn.o_proj, each.post_attention_layernorm, each.mlp) for each in body.layers]


def of_llama(model, context, is_compiled):
    """The steps of a transformers model of Llama's form, held to its own pass over all."""
    config, body = model.config, model.model
    cos, sin = (each[0] for each in body.rotary_emb(torch.zeros(1), torch.arange(context)[None]))

    def turn(z, at):
        half = z.shape[-1] // 2
        return z * cos[at] + torch.cat([-z[..., half:], z[..., :half]], -1) * sin[at]

    steps = Decoder(layers_of(body), lambda tokens, at: body.embed_tokens(tokens), lambda x: model.lm_head(body.norm(x)),
                    turn, config.num_attention_heads, config.hidden_size, context, is_compiled=is_compiled,
                    groups=config.num_key_value_heads)
    ids = [1, 30, *range(4, 24)]
    with torch.no_grad():
        steps.check(ids, model(torch.tensor([ids])).logits[0])
    return steps


def drawn(logits, temperature=0.8):
    return int(torch.multinomial(torch.softmax(logits / temperature, -1), 1))


def parser(documentation, threads=2):
    arguments = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", default="build/bin/tokenworks")
    arguments.add_argument("--model", help="a file in place of the one that is shipped")
    arguments.add_argument("--threads", type=int, default=threads)
    arguments.add_argument("--compile", action="store_true", help="torch by torch.compile")
    arguments.add_argument("--cpu", action="store_true", help="seconds of the processor, not of the clock, on one thread: "
                           "where other programs keep the machine busy")
    arguments.add_argument("--repeats", type=int, default=7)
    return arguments


def parse(arguments):
    options = arguments.parse_args()
    options.threads = 1 if options.cpu else options.threads
    torch.set_num_threads(options.threads)
    return options


def program_json(command):
    """What the program says."""
    return json.loads(subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout)


def program_run(options, command):
    """The timings of the program's --json, and the seconds of the processor that it took."""
    model = ["-m", options.model] if options.model else []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = program_json([options.program, *command, "-t", options.threads, "--json", *model])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (told["timings"],
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def program_rate(options, command, made, seconds, few, many):
    """What the program makes in a second: command(count), made(timings), seconds(timings). Its seconds of the processor
    are those that `many` take more than `few`, so that loading does not count, as it does not on the clock."""
    told, cpu = program_run(options, command(many))
    if not options.cpu:
        return made(told) / seconds(told)
    less, less_cpu = program_run(options, command(few))
    return (made(told) - made(less)) / (cpu - less_cpu)


def torch_rate(options, make):
    """The same of torch; make() tells how much it made."""
    clock = time.process_time if options.cpu else time.perf_counter
    begun = clock()
    return make() / (clock() - begun)


def compare(options, theirs, ours, unit="tokens", settle=lambda: None):
    """Takes turns, so that both have the same share of a busy machine, and prints the medians.

    theirs  seed -> how much it made      ours  seed -> what the program makes a second      settle  what precedes theirs
    """
    theirs(0)  # compiles, and warms the caches
    both = []
    for seed in range(options.repeats):
        torch.manual_seed(seed)
        settle()
        both.append((torch_rate(options, lambda: theirs(seed)), ours(seed)))
    a, b = (statistics.median(each) for each in zip(*both))
    ratio = statistics.median(y / x for x, y in both)
    second = "second of the processor" if options.cpu else "second"
    print(f"torch {torch.__version__.split('+')[0]}, {'compiled' if options.compile else 'eager'}: {a:.0f} {unit} a {second}; "
          f"tokenworks: {b:.0f}; {ratio:.1f} times as many (median of {options.repeats} pairs, {options.threads} threads)",
          flush=True)
