"use strict";
// The page of `tokenworks serve`: what it shows comes from the server's own interface, as any client would see it.
(() => {
    const $ = (id) => document.getElementById(id);
    const make = (name, properties = {}, ...inside) => {
        const element = Object.assign(document.createElement(name), properties);
        element.append(...inside);
        return element;
    };
    const drawn = (name, attributes, ...inside) => {
        const element = document.createElementNS("http://www.w3.org/2000/svg", name);
        Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
        element.append(...inside);
        return element;
    };
    const tell = (problem) => {
        $("problem").textContent = problem;
        $("problem").hidden = problem === "";
    };

    // A server that was started with keys wants one; it stays in this page.
    const key = () => ($("key").value.trim() ? {Authorization: `Bearer ${$("key").value.trim()}`} : {});

    // Asks the server; what it refuses is an error with its own words.
    const ask = async (path, body, signal) => {
        const answer = await fetch(path, {method: "POST", headers: {"Content-Type": "application/json", ...key()}, body: JSON.stringify(body), signal});
        if (!answer.ok) {
            const told = await answer.json().catch(() => null);
            const again = answer.headers.get("Retry-After");
            throw new Error((told?.error?.message ?? `The server answers ${answer.status}.`) + (again ? ` Try again in ${again} s.` : ""));
        }
        return answer;
    };

    // Tabs: the arrow keys go from one to the next.
    const tabs = [...document.querySelectorAll("[role=tab]")];
    const choose = (chosen) => {
        for (const tab of tabs) {
            tab.setAttribute("aria-selected", String(tab === chosen));
            tab.tabIndex = tab === chosen ? 0 : -1;
            $(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
        }
        tell("");
    };
    tabs.forEach((tab) => tab.addEventListener("click", () => choose(tab)));
    $("tabs").addEventListener("keydown", (event) => {
        const open = tabs.filter((tab) => !tab.disabled);
        const at = open.indexOf(document.activeElement);
        const next = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: open.length - 1}[event.key];
        if (next !== undefined) {
            event.preventDefault();
            const tab = open[(next + open.length) % open.length];
            choose(tab);
            tab.focus();
        }
    });

    // Chat.
    const messages = [];
    let answering = null;
    const bubble = (role, text) => {
        const item = make("li", {className: role}, make("p", {textContent: text}));
        $("talk").append(item);
        $("talk").scrollTop = $("talk").scrollHeight;
        return item;
    };

    // The objects of server-sent events as they come.
    async function* events(answer) {
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (;;) {
            const {value, done} = await reader.read();
            const lines = (rest + (value ?? "")).split(/\r?\n/);
            rest = done ? "" : lines.pop();
            for (const line of lines) {
                if (line === "data: [DONE]") {
                    return;
                }
                if (line.startsWith("data:")) {
                    yield JSON.parse(line.slice(5));
                }
            }
            if (done) {
                return;
            }
        }
    }

    const send = async () => {
        const text = $("question").value.trim();
        if (!text || answering) {
            return;
        }
        tell("");
        $("question").value = "";
        messages.push({role: "user", content: text});
        bubble("user", text);
        const item = bubble("assistant", "");
        const shown = item.firstChild;
        item.classList.add("busy");
        const system = $("system").value.trim();
        const begin = performance.now();
        let [first, tokens, said, reason] = [0, 0, "", ""];
        answering = new AbortController();
        $("stop").disabled = false;
        $("send").disabled = true;
        try {
            const answer = await ask("/v1/chat/completions", {
                messages: [...(system ? [{role: "system", content: system}] : []), ...messages],
                temperature: Number($("temperature").value),
                seed: Number($("chat-seed").value),
                max_tokens: Number($("most").value),
                stream: true,
                stream_options: {include_usage: true},
            }, answering.signal);
            for await (const event of events(answer)) {
                if (event.error) {
                    throw new Error(event.error.message);
                }
                const choice = event.choices?.[0];
                const piece = choice?.delta?.content ?? "";
                if (piece) {
                    first ||= performance.now();
                    tokens += 1;
                    said += piece;
                    const follow = $("talk").scrollHeight - $("talk").scrollTop - $("talk").clientHeight < 60;
                    shown.textContent = said;
                    if (follow) {
                        $("talk").scrollTop = $("talk").scrollHeight;
                    }
                }
                reason = choice?.finish_reason ?? reason;
                tokens = event.usage?.completion_tokens ?? tokens;
            }
        } catch (problem) {
            reason = problem.name === "AbortError" ? "stopped" : "failed";
            if (reason === "failed") {
                tell(problem.message);
            }
        }
        const end = performance.now();
        item.classList.remove("busy");
        if (first) {
            const speed = tokens > 1 ? `${((tokens - 1) / Math.max(0.001, (end - first) / 1000)).toFixed(1)} tokens/s` : "";
            item.append(make("small", {textContent: [`${tokens} tokens`, `the first after ${Math.round(first - begin)} ms`, speed, reason]
                .filter(Boolean).join(" · ")}));
            messages.push({role: "assistant", content: said});
        } else {
            messages.pop(); // nothing was answered: the question may be asked again
            item.append(make("small", {textContent: reason || "no answer"}));
            $("question").value ||= reason === "failed" ? text : "";
        }
        answering = null;
        $("stop").disabled = true;
        $("send").disabled = false;
        $("question").focus();
    };
    const stop = () => answering?.abort();
    $("chat-form").addEventListener("submit", (event) => {
        event.preventDefault();
        send();
    });
    $("question").addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            $("chat-form").requestSubmit($("send"));
        }
    });
    document.addEventListener("keydown", (event) => {
        if (event.key === "Escape") {
            stop();
        }
    });
    $("stop").addEventListener("click", stop);
    $("clear").addEventListener("click", () => {
        stop();
        messages.length = 0;
        $("talk").replaceChildren();
        $("question").focus();
    });

    // The other kinds: what is sent, and how the answer is shown.
    const bytes = (base64) => Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
    const link = (name, content, type) =>
        make("a", {textContent: name, download: name, href: URL.createObjectURL(new Blob([content], {type}))});
    const picture = (base64, type, name, about) => [
        make("img", {src: `data:${type};base64,${base64}`, alt: about}),
        make("figcaption", {}, make("span", {textContent: about}), link(name, bytes(base64), type)),
    ];

    const chart = (past, made) => {
        const [width, height, left, bottom] = [720, 300, 56, 26];
        const seen = past.slice(-Math.max(36, 4 * made.values[0].length));
        const lowest = made.values[0];
        const highest = made.values[made.values.length - 1];
        const middle = made.values[Math.floor(made.values.length / 2)];
        const all = [...seen, ...lowest, ...highest].filter(Number.isFinite);
        const [low, high] = [Math.min(...all), Math.max(...all)];
        const room = (high - low) * 0.06 || 1;
        const x = (i) => left + (width - left - 8) * i / Math.max(1, seen.length + middle.length - 1);
        const y = (v) => 8 + (height - bottom - 8) * (high + room - v) / (high - low + 2 * room);
        const path = (values, from) => values.map((v, i) => `${i ? "L" : "M"}${x(from + i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
        const back = lowest.map((v, i) => `L${x(seen.length + i).toFixed(1)} ${y(v).toFixed(1)}`).reverse().join("");
        const lines = [0, 1, 2, 3, 4].flatMap((i) => {
            const v = low + (high - low) * i / 4;
            return [drawn("line", {class: "rule", x1: left, x2: width - 8, y1: y(v), y2: y(v)}),
                drawn("text", {x: left - 8, y: y(v) + 4, "text-anchor": "end"}, v.toPrecision(4))];
        });
        return drawn("svg", {class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img",
            "aria-label": `${seen.length} numbers, and ${middle.length} more with a band around them`}, ...lines,
        drawn("path", {class: "band", d: path(highest, seen.length) + back + "Z"}),
        drawn("path", {class: "past", d: path(seen, 0)}),
        drawn("path", {class: "next", d: path([seen[seen.length - 1], ...middle], seen.length - 1)}),
        drawn("text", {x: width - 8, y: height - 6, "text-anchor": "end"}, `the forecast: ${middle.length} steps`));
    };

    const groups = {h: "AVLIMFWY", o: "STNQ", p: "KRH", n: "DE", s: "GPC"};
    const residues = (sequence, name) => make("p", {className: "sequence"}, make("b", {textContent: `>${name}, ${sequence.length} residues`}),
        ...[...sequence].map((each) => make("i", {textContent: each,
            className: Object.keys(groups).find((group) => groups[group].includes(each)) ?? ""})));

    // A shape that turns: triangles from the farthest to the nearest.
    const shape = (text) => {
        const corners = [];
        const faces = [];
        for (const line of text.split("\n")) {
            const [kind, ...rest] = line.trim().split(/\s+/);
            if (kind === "v") {
                corners.push(rest.slice(0, 3).map(Number));
            } else if (kind === "f") {
                const ids = rest.map((each) => parseInt(each, 10)).map((id) => (id < 0 ? corners.length + id : id - 1));
                for (let i = 2; i < ids.length; ++i) {
                    faces.push([ids[0], ids[i - 1], ids[i]]);
                }
            }
        }
        const canvas = make("canvas", {width: 960, height: 600, tabIndex: 0});
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", "the shape; the arrow keys and the mouse turn it");
        const view = {turn: 0.6, tilt: 0.45};
        const draw = () => {
            const {width, height} = canvas;
            const paint = canvas.getContext("2d");
            const style = getComputedStyle(canvas);
            const [front, back] = ["--front", "--back"].map((name) => style.getPropertyValue(name).split(",").map(Number));
            const [ct, st, cu, su] = [Math.cos(view.turn), Math.sin(view.turn), Math.cos(view.tilt), Math.sin(view.tilt)];
            const scale = 0.62 * height;
            const at = corners.map(([x, y, z]) => {
                const [across, away] = [ct * x - st * z, st * x + ct * z];
                return [width / 2 + scale * across, height / 2 - scale * (cu * y - su * away), scale * (su * y + cu * away)];
            });
            paint.clearRect(0, 0, width, height);
            paint.lineWidth = 1;
            const depth = (face) => face.reduce((sum, corner) => sum + at[corner][2], 0);
            for (const face of faces.filter((each) => each.every((corner) => at[corner])).sort((a, b) => depth(a) - depth(b))) {
                const [a, b, c] = face.map((corner) => at[corner]);
                const [ux, uy, uz, vx, vy, vz] = [b[0] - a[0], a[1] - b[1], b[2] - a[2], c[0] - a[0], a[1] - c[1], c[2] - a[2]];
                const normal = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
                const sign = (normal[2] < 0 ? -1 : 1) / (Math.hypot(...normal) || 1);
                const light = 0.38 + 0.62 * Math.max(0, sign * (-0.42 * normal[0] + 0.62 * normal[1] + 0.66 * normal[2]));
                const colour = `rgb(${(normal[2] < 0 ? back : front).map((part) => Math.min(255, Math.round(part * light + 12))).join(",")})`;
                paint.fillStyle = paint.strokeStyle = colour;
                paint.beginPath();
                paint.moveTo(a[0], a[1]);
                paint.lineTo(b[0], b[1]);
                paint.lineTo(c[0], c[1]);
                paint.closePath();
                paint.fill();
                paint.stroke();
            }
        };
        const rotate = (across, up) => {
            view.turn += across;
            view.tilt = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, view.tilt + up));
            requestAnimationFrame(draw);
        };
        canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
        canvas.addEventListener("pointermove", (event) => {
            if (canvas.hasPointerCapture(event.pointerId)) {
                rotate(event.movementX * 0.01, event.movementY * 0.01);
            }
        });
        canvas.addEventListener("keydown", (event) => {
            const step = {ArrowLeft: [-0.17, 0], ArrowRight: [0.17, 0], ArrowUp: [0, -0.17], ArrowDown: [0, 0.17]}[event.key];
            if (step) {
                event.preventDefault();
                rotate(...step);
            }
        });
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
        requestAnimationFrame(draw);
        return [canvas, make("figcaption", {}, make("span", {textContent: `${corners.length} corners, ${faces.length} triangles`}),
            link("shape.obj", text, "model/obj"))];
    };

    const kinds = {
        image: {
            path: "/v1/images/generations",
            body: (form) => ({class: form.get("class"), seed: Number(form.get("seed")), n: 1, response_format: "b64_json"}),
            show: ({data}, body) => picture(data[0].b64_json, "image/png", `${body.class}.png`, `${body.class}, seed ${body.seed}`),
        },
        forecast: {
            path: "/v1/forecasts",
            body: (form) => {
                const numbers = form.get("numbers").split(/[\s,;]+/).filter(Boolean).map(Number);
                if (numbers.length === 0 || !numbers.every(Number.isFinite)) {
                    throw new Error("The text holds something that is no number.");
                }
                return {series: [numbers], horizon: Number(form.get("horizon")), quantiles: [0.1, 0.5, 0.9]};
            },
            show: ({data}, body) => {
                const head = make("tr", {}, make("th", {textContent: "step"}),
                    ...data[0].quantiles.map((q) => make("th", {textContent: `${Math.round(q * 100)} %`})));
                const rows = data[0].values[0].map((_, step) => make("tr", {}, make("td", {textContent: step + 1}),
                    ...data[0].values.map((each) => make("td", {textContent: each[step].toPrecision(5)}))));
                return [chart(body.series[0], data[0]), make("details", {}, make("summary", {textContent: "Numbers"}),
                    make("table", {}, head, ...rows))];
            },
        },
        protein: {
            path: "/v1/proteins",
            body: (form) => ({family: form.get("family"), n: Number(form.get("n")), seed: Number(form.get("seed"))}),
            show: ({data}, body) => [...data.map(({sequence}, i) => residues(sequence, `${body.family} ${i + 1}`)),
                make("figcaption", {}, link(`${body.family}.fasta`,
                    data.map(({sequence}, i) => `>${body.family}_${i + 1}\n${sequence}\n`).join(""), "text/plain"))],
        },
        mesh: {
            path: "/v1/meshes",
            body: (form) => ({class: form.get("class"), seed: Number(form.get("seed")), format: "obj"}),
            show: ({data}) => shape(data[0].text),
        },
        video: {
            path: "/v1/videos",
            body: (form) => ({class: form.get("class"), seed: Number(form.get("seed")), format: "gif"}),
            show: ({data}, body) => picture(data[0].b64_json, "image/gif", `${body.class}.gif`, `${body.class}, seed ${body.seed}`),
        },
    };
    for (const form of document.querySelectorAll("form[data-kind]")) {
        const kind = kinds[form.dataset.kind];
        const result = form.parentElement.querySelector(".result");
        const button = form.querySelector("button");
        form.addEventListener("submit", async (event) => {
            event.preventDefault();
            tell("");
            button.disabled = true;
            result.classList.add("busy");
            try {
                const body = kind.body(new FormData(form));
                const begin = performance.now();
                const answer = await (await ask(kind.path, body)).json();
                for (const old of result.querySelectorAll("a[download]")) {
                    URL.revokeObjectURL(old.href);
                }
                result.replaceChildren(...kind.show(answer, body));
                result.append(make("figcaption", {textContent: `${((performance.now() - begin) / 1000).toFixed(2)} s`}));
            } catch (problem) {
                tell(problem.message);
            }
            result.classList.remove("busy");
            button.disabled = false;
        });
    }

    // The live view.
    const speeds = [];
    const number = (value) => Number(value).toLocaleString("en");
    const time = (seconds) => seconds < 60 ? `${Math.round(seconds)} s`
        : seconds < 3600 ? `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
            : `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
    const fill = (known) => {
        for (const tab of tabs.filter((each) => each.id !== "tab-chat")) {
            const kind = tab.getAttribute("aria-controls");
            tab.disabled = !(kind in known);
            tab.title = tab.disabled ? "this server has no such model" : "";
            const select = $(kind).querySelector("select");
            const names = known[kind] ?? [];
            if (select && [...select.options].map((each) => each.value).join("\n") !== names.join("\n")) {
                const before = select.value;
                select.replaceChildren(...names.map((name) => make("option", {textContent: name, value: name})));
                select.value = names.includes(before) ? before : names[0];
            }
        }
    };
    const look = async () => {
        if (document.hidden) {
            return;
        }
        try {
            const answer = await fetch("/factory", {headers: key(), signal: AbortSignal.timeout?.(5000)});
            if (answer.status === 401) {
                $("state").textContent = "wants a key: see the settings";
                $("state").classList.add("lost");
                return;
            }
            if (!answer.ok) {
                throw new Error(String(answer.status));
            }
            const now = await answer.json();
            speeds.push(now.tokens_per_second);
            speeds.splice(0, speeds.length - 60);
            const most = Math.max(1, ...speeds);
            const points = speeds.map((each, i) => `L${240 - 4 * (speeds.length - 1 - i)} ${62 - 58 * each / most}`).join("");
            $("spark").replaceChildren(drawn("path", {d: `M${240 - 4 * (speeds.length - 1)} 65${points}L240 65Z`}));
            $("speed").textContent = now.tokens_per_second.toFixed(1);
            $("running").textContent = number(now.running);
            $("waiting").textContent = number(now.waiting);
            $("made").textContent = number(now.generated_tokens);
            $("read").textContent = number(now.prompt_tokens);
            const share = (part) => now.cache_tokens ? 100 * part / now.cache_tokens : 0;
            $("cache").textContent = `${number(now.cache_tokens_used)} in use, ${number(now.cache_tokens_kept)} kept, of ${number(now.cache_tokens)} tokens`;
            $("cache-used").style.width = `${share(now.cache_tokens_used)}%`;
            $("cache-kept").style.width = `${share(now.cache_tokens_kept)}%`;
            const each = now.generated_tokens ? ` · ${(now.joules / now.generated_tokens).toFixed(3)} J a token` : "";
            $("energy").textContent = now.joules === null ? "not measurable here"
                : `${now.joules.toFixed(now.joules < 100 ? 2 : 0)} J, ${now.energy_source}${each}`;
            $("uptime").textContent = time(now.uptime_seconds);
            $("model").textContent = now.model;
            $("state").textContent = "live";
            $("state").classList.remove("lost");
            fill(now.kinds);
        } catch {
            $("state").textContent = "not reachable";
            $("state").classList.add("lost");
        }
    };
    const watch = async () => {
        await look();
        setTimeout(watch, 1000);
    };
    watch();
    document.addEventListener("visibilitychange", look);
    $("question").focus();
})();
