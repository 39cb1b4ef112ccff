// The blocks that image autoencoders are made of: two convolutions with a way around them, and attention among pixels.
// Both as in VQGAN: Esser et al., "Taming Transformers for High-Resolution Image Synthesis", 2021.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>

#include <tokenworks/config.hpp>
#include <tokenworks/core/arena.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/kernels/activation.hpp>
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/convolution.hpp>

#if TOKENWORKS_DEFINITIONS
#include <algorithm>
#endif

namespace tokenworks::inline TOKENWORKS_ABI::nn {

/// x + second(silu(norm(first(silu(norm(x)))))), where x goes through `around` if the channels change.
struct residual_block {
    group_norm before_first;
    convolution first;
    group_norm before_second;
    convolution second;
    std::optional<convolution> around{};

    [[nodiscard]] std::size_t bytes() const noexcept {
        return first.bytes() + second.bytes() + (around ? around->bytes() : 0);
    }
    [[nodiscard]] std::size_t out_channels() const noexcept { return second.out_channels(); }

    /// @param x    [P,C]
    /// @param out  [P,N]; not x
    image operator()(context& c, const image& x, rows out) const;
};

/// x + output(attention(norm(x))): every pixel attends to all others with one head as wide as they are.
struct pixel_attention {
    group_norm before;
    convolution query;
    convolution key;
    convolution value;
    convolution output;

    [[nodiscard]] std::size_t bytes() const noexcept {
        return query.bytes() + key.bytes() + value.bytes() + output.bytes();
    }

    /// @param x  [P,C]; the result is added to it
    void operator()(context& c, const image& x) const;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION image residual_block::operator()(context& c, const image& x, rows out) const {
    const arena::scope scratch{c.scratch};
    const auto activate = [&](rows values) { kernels::activate(kernels::silu{}, values, values, c.how); };
    const image normed{c.scratch_rows(x.pixels(), x.channels()), x.height, x.width};
    before_first(c, x.values, normed.values);
    activate(normed.values);
    const image middle = first(c, normed, c.scratch_rows(x.pixels(), first.out_channels()));
    before_second(c, middle.values, middle.values);
    activate(middle.values);
    if(around) {
        (*around)(c, x, out);
    } else {
        std::ranges::copy(x.values.as_span(), out.data());
    }
    return second(c, middle, add_to(out));
}

TOKENWORKS_FUNCTION void pixel_attention::operator()(context& c, const image& x) const {
    const arena::scope scratch{c.scratch};
    const std::size_t count = x.pixels();
    const std::size_t width = x.channels();
    const auto room = [&] { return c.scratch_rows(count, width); };
    const image normed{room(), x.height, x.width};
    before(c, x.values, normed.values);
    const image q = query(c, normed, room());
    const image k = key(c, normed, room());
    const image v = value(c, normed, room());
    const auto one_head = [&](rows values) {
        return view<float, dyn, dyn, dyn>{values.data(), count, std::size_t{1}, width};
    };
    const image mixed = normed; // what it held is not needed any more
    kernels::attention(one_head(q.values), one_head(k.values), one_head(v.values),
                       {.causal = false, .scale = 1.0F / std::sqrt(static_cast<float>(width))}, one_head(mixed.values),
                       c.how);
    output(c, mixed, add_to(x.values));
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::nn
