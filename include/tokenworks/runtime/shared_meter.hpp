// One meter for several who work at the same time: each gets its part of what the machine takes meanwhile.
//
//   runtime::shared_meter<> meter{runtime::best_meter()};
//   runtime::shared_meter<>::account texts{meter}, images{meter};
//   runtime::engine one{model, {.joules = [&] { return texts.turn(); }}};   // before and after each of its steps
//   runtime::engine other{network, nullptr, how, {.joules = [&] { return images.turn(); }}};
//
// A meter tells what all of a process, or a machine, takes. Two engines that both read it would both count the joules
// of a moment in which both work. Here what is counted from one reading to the next is shared out evenly among those
// that are at work, so that the accounts never add up to more than the meter.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

#include <tokenworks/config.hpp>
#include <tokenworks/runtime/any_meter.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

/// Any thread may call any of these. It must outlive its accounts.
template <energy_meter M = any_meter>
class shared_meter {
public:
    explicit shared_meter(M meter) : meter_{std::move(meter)}, last_{meter_.joules()} {}
    shared_meter(const shared_meter&) = delete;
    shared_meter& operator=(const shared_meter&) = delete;

    /// Of the meter.
    [[nodiscard]] const M& meter() const noexcept { return meter_; }

    /// One who works, now and then, one piece of work at a time.
    class account {
    public:
        explicit account(shared_meter& of) : of_{&of} {}
        account(const account&) = delete;
        account& operator=(const account&) = delete;
        ~account() {
            if(is_at_work_) {
                static_cast<void>(turn());
            }
        }

        /// Begins a piece of work, or ends it.
        /// @return joules of all its work so far, or nothing where that cannot be told
        std::optional<double> turn() {
            const std::scoped_lock lock{of_->mutex_};
            const bool known = of_->advance();
            if(is_at_work_) {
                joules_ += of_->each_ - begin_;
                --of_->at_work_;
            } else {
                begin_ = of_->each_;
                ++of_->at_work_;
            }
            is_at_work_ = !is_at_work_;
            return known ? std::optional{joules_} : std::nullopt;
        }

        /// Joules of all its work that has ended.
        [[nodiscard]] double joules() const {
            const std::scoped_lock lock{of_->mutex_};
            return joules_;
        }

    private:
        shared_meter* of_;
        double joules_ = 0;
        double begin_ = 0;
        bool is_at_work_ = false;
    };

private:
    /// Shares out what was counted since the last time.
    bool advance() {
        const std::optional<double> now = meter_.joules();
        if(now && last_ && at_work_ != 0) {
            each_ += (*now - *last_) / static_cast<double>(at_work_);
        }
        const bool known = now && last_;
        last_ = now;
        return known;
    }

    M meter_;
    std::mutex mutex_{};
    std::optional<double> last_;
    double each_ = 0; // joules of one who would have worked all the time
    std::size_t at_work_ = 0;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
