"use strict";
// Turns the shape that is chosen. What is drawn are its own corners and triangles, each pixel the nearest triangle's.
(() => {
    const canvas = document.getElementById("turn");
    if (!canvas) {
        return;
    }
    const shapes = JSON.parse(document.getElementById("turn-data").textContent);
    const buttons = [...document.querySelectorAll("button[data-mesh]")];
    const {width, height} = canvas;
    const target = canvas.getContext("2d");
    const image = target.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const depth = new Float32Array(width * height);
    const view = {shape: shapes[0], turn: 30, tilt: 25, asked: false};

    const colours = () => {
        const probe = getComputedStyle(canvas);
        return ["--front", "--back"].map((name) => probe.getPropertyValue(name).split(",").map(Number));
    };

    // As the library does it: across, up, towards the viewer.
    const corners = ({corners: all}) => {
        const [ct, st] = [Math.cos(view.turn * Math.PI / 180), Math.sin(view.turn * Math.PI / 180)];
        const [cu, su] = [Math.cos(view.tilt * Math.PI / 180), Math.sin(view.tilt * Math.PI / 180)];
        const scale = 0.62 * height;
        return all.map(([x, y, z]) => {
            const across = ct * x - st * z;
            const away = st * x + ct * z;
            return [width / 2 + scale * across, height / 2 - scale * (cu * y - su * away), scale * (su * y + cu * away)];
        });
    };

    const shade = (a, b, c, [front, back]) => {
        const [ux, uy, uz] = [b[0] - a[0], a[1] - b[1], b[2] - a[2]];
        const [vx, vy, vz] = [c[0] - a[0], a[1] - c[1], c[2] - a[2]];
        const normal = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
        const sign = (normal[2] < 0 ? -1 : 1) / (Math.hypot(...normal) || 1);
        const light = sign * (-0.42 * normal[0] + 0.62 * normal[1] + 0.66 * normal[2]);
        const bright = 0.38 + 0.62 * Math.max(0, light);
        const [red, green, blue] = (normal[2] < 0 ? back : front).map((part) => Math.min(255, part * bright + 12));
        return (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
    };

    const fill = (a, b, c, colour) => {
        const area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if (Math.abs(area) < 1e-6) {
            return;
        }
        const clamp = (value, most) => Math.max(0, Math.min(most, Math.floor(value)));
        const [left, right] = [clamp(Math.min(a[0], b[0], c[0]), width), clamp(Math.max(a[0], b[0], c[0]) + 1, width)];
        const [top, bottom] = [clamp(Math.min(a[1], b[1], c[1]), height), clamp(Math.max(a[1], b[1], c[1]) + 1, height)];
        for (let y = top; y < bottom; ++y) {
            for (let x = left; x < right; ++x) {
                const u = ((b[0] - x - 0.5) * (c[1] - y - 0.5) - (b[1] - y - 0.5) * (c[0] - x - 0.5)) / area;
                const v = ((c[0] - x - 0.5) * (a[1] - y - 0.5) - (c[1] - y - 0.5) * (a[0] - x - 0.5)) / area;
                const z = u * a[2] + v * b[2] + (1 - u - v) * c[2];
                if (u >= 0 && v >= 0 && u + v <= 1 && z > depth[y * width + x]) {
                    depth[y * width + x] = z;
                    pixels[y * width + x] = colour;
                }
            }
        }
    };

    const draw = () => {
        view.asked = false;
        pixels.fill(0);
        depth.fill(-Infinity);
        const seen = corners(view.shape);
        const both = colours();
        for (const triangle of view.shape.triangles) {
            const [a, b, c] = triangle.map((corner) => seen[corner]);
            fill(a, b, c, shade(a, b, c, both));
        }
        target.putImageData(image, 0, 0);
    };

    const redraw = () => {
        if (!view.asked) {
            view.asked = true;
            requestAnimationFrame(draw);
        }
    };

    const rotate = (across, up) => {
        view.turn += across;
        view.tilt = Math.max(-90, Math.min(90, view.tilt + up));
        redraw();
    };

    const choose = (which) => {
        view.shape = shapes[which];
        buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === which)));
        const {name, corners: points, triangles, closed, file} = view.shape;
        document.getElementById("turn-text").textContent =
            `${name}: ${points.length} corners, ${triangles.length} triangles, ${closed ? "closed" : "open"}`;
        const link = document.getElementById("turn-file");
        link.href = file;
        link.download = `${name}.glb`;
        redraw();
    };

    buttons.forEach((button, i) => button.addEventListener("click", () => choose(i)));
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
        if (canvas.hasPointerCapture(event.pointerId)) {
            rotate(event.movementX * 0.6, event.movementY * 0.6);
        }
    });
    canvas.addEventListener("keydown", (event) => {
        const step = {ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10]}[event.key];
        if (step) {
            event.preventDefault();
            rotate(...step);
        }
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    choose(Math.max(0, shapes.findIndex(({name}) => name === "chair")));
    draw();
})();
