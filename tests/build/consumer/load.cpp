// What the ten lines of the README call, up to the file that is not there; and a product from a unit of each kind.
#include "product.hpp"

std::array<float, 2> product_of_the_header_only_unit();

bool loads_report_a_missing_file() {
    try {
        const auto model = tokenworks::text_model::load("no such file.gguf");
        return model.chat("Why is the sky blue?", {.max_tokens = 64}).text().empty();
    } catch(const tokenworks::io_error&) {
        return true;
    }
}

bool products_agree() {
    const std::array<float, 2> expected{7, 5};
    return product() == expected && product_of_the_header_only_unit() == expected;
}
