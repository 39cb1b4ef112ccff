// The gated unit of gpt-oss: both inputs are clamped, the other one gets 1 added.
#pragma once

#include <tokenworks/config.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/simd.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/elementwise.hpp>
#include <tokenworks/kernels/operands.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::kernels {

/// (clamp(up, ±limit) + 1) * g * sigmoid(1.702 g), g = min(gate, limit). openai/gpt-oss, torch/model.py, swiglu.
struct clamped_swiglu {
    float limit = 7;
};

namespace detail {

struct clamped_swiglu_op {
    template <class Isa>
    static TOKENWORKS_INLINE auto apply(const simd::f32x16<Isa>& gate, const simd::f32x16<Isa>& up, float limit) {
        using vector = simd::f32x16<Isa>;
        const vector most = vector::broadcast(limit);
        const vector g = gelu_quick::apply<Isa>(min(gate, most));
        return g * (max(min(up, most), vector::broadcast(-limit)) + vector::broadcast(1.0F));
    }
};

} // namespace detail

/// @param gate, up  [T,F]; last axis contiguous
/// @param out       [T,F]; may be gate or up
/// @throws          shape_error naming both shapes
template <class Gate, class Up, class Out>
void glu(clamped_swiglu unit, const Gate& gate, const Up& up, Out&& out, const execution& how = {}) {
    detail::zip("glu", "gate", detail::as_view(gate), "up", detail::as_view(up), detail::as_view(out), unit.limit, how,
                detail::run_piece<detail::clamped_swiglu_op>);
}

} // namespace tokenworks::inline TOKENWORKS_ABI::kernels
