// wal/pack.hpp — the small codings of our WAL records: bounded reader and writer, varints, sets of slots.
//
// Why:    a WAL record is read back years after the code that wrote it has changed, and by tools from damaged
//         files: every read is bounded, and a reader that ran over its end says so once, at the end.
// Coding: varint: seven bits per byte, low end first, high bit = more follows.
//         set of slots: per run, varint (2 * gap to the slot before + 1 if the run is longer than one slot),
//         then, if it is, varint (length - 2).  The number of slots is known from elsewhere.
// Errors: never longjmps.  ByteReader::ok() is false after any read beyond the end, and when the parser that
//         reads found something impossible (fail) or unknown to this version (fail_unknown).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <bit>
#include <cstring>
#include <span>

#include "base/check.hpp"
#include "page/layout.hpp"
#include "page/page_edit.hpp"

namespace glassheap::wal {

class ByteWriter {
public:
    ByteWriter(char *out, std::size_t capacity) noexcept : start_(out), pos_(out), end_(out + capacity) {}

    void u8(std::uint8_t v) noexcept { bytes(&v, sizeof v); }
    void u16(std::uint16_t v) noexcept { bytes(&v, sizeof v); }
    void u32(std::uint32_t v) noexcept { bytes(&v, sizeof v); }
    void varint(std::uint32_t v) noexcept {
        while (v >= 0x80U) {
            u8(static_cast<std::uint8_t>(v | 0x80U));
            v >>= 7;
        }
        u8(static_cast<std::uint8_t>(v));
    }
    void bytes(const void *from, std::size_t n) noexcept {
        GH_ASSERT(static_cast<std::size_t>(end_ - pos_) >= n);
        std::memcpy(pos_, from, n);
        pos_ += n;
    }
    char *begin() const noexcept { return start_; }
    std::size_t size() const noexcept { return static_cast<std::size_t>(pos_ - start_); }

private:
    char *start_;
    char *pos_;
    char *end_;
};

class ByteReader {
public:
    ByteReader(const char *data, std::size_t length) noexcept : pos_(data), end_(data + length) {}

    std::uint8_t u8() noexcept { return fixed<std::uint8_t>(); }
    std::uint16_t u16() noexcept { return fixed<std::uint16_t>(); }
    std::uint32_t u32() noexcept { return fixed<std::uint32_t>(); }
    std::uint32_t varint() noexcept {
        std::uint32_t v = 0;
        for (unsigned shift = 0; shift < 35; shift += 7) {
            const std::uint8_t b = u8();
            if (shift == 28 && b > 0x0FU) break;  // more than 32 bits
            v |= static_cast<std::uint32_t>(b & 0x7FU) << shift;
            if ((b & 0x80U) == 0) return v;
        }
        ok_ = false;
        return 0;
    }
    // The next n bytes, or nullptr (and not ok) when there are fewer.
    const char *bytes(std::size_t n) noexcept {
        if (!ok_ || left() < n) {
            ok_ = false;
            return nullptr;
        }
        const char *at = pos_;
        pos_ += n;
        return at;
    }
    std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - pos_); }
    const char *rest() const noexcept { return pos_; }
    bool ok() const noexcept { return ok_; }
    void fail() noexcept { ok_ = false; }
    // What was read is nothing that this version writes, but a later one may.
    void fail_unknown() noexcept {
        unknown_ = unknown_ || ok_;  // behind damage everything looks strange
        ok_ = false;
    }
    bool met_unknown() const noexcept { return unknown_; }
    void expect_only(std::uint32_t read, std::uint32_t known) noexcept {
        if ((read & ~known) != 0) fail_unknown();
    }
    void expect_end() noexcept {
        if (left() != 0) fail_unknown();
    }

private:
    template <typename T>
    T fixed() noexcept {
        T v{};
        if (const char *at = bytes(sizeof v)) std::memcpy(&v, at, sizeof v);
        return v;
    }
    const char *pos_;
    const char *end_;
    bool ok_ = true;
    bool unknown_ = false;
};

// Slots of one page as a bitmap: sorts and joins runs without comparing.
class SlotSet {
public:
    static constexpr unsigned kLimit = 320;  // > page::kMaxTuplesPerPage
    static_assert(kLimit > page::kMaxTuplesPerPage && kLimit % 64 == 0);

    void add(SlotNo slot) noexcept { words_[slot / 64U] |= std::uint64_t{1} << (slot % 64U); }
    bool has(SlotNo slot) const noexcept { return ((words_[slot / 64U] >> (slot % 64U)) & 1U) != 0; }
    // The first slot at or behind `from` that is in the set, or is not; kLimit when there is none.
    unsigned next_in(unsigned from) const noexcept { return next(from, 0); }
    unsigned next_out(unsigned from) const noexcept { return next(from, ~std::uint64_t{0}); }

private:
    unsigned next(unsigned from, std::uint64_t flip) const noexcept {
        while (from < kLimit) {
            const std::uint64_t rest = (words_[from / 64U] ^ flip) >> (from % 64U);
            if (rest != 0) return from + static_cast<unsigned>(std::countr_zero(rest));
            from = (from / 64U + 1) * 64U;
        }
        return kLimit;
    }

    std::uint64_t words_[kLimit / 64] = {};
};

// Sets come out in ascending order; duplicates are not allowed.  Readers return false, and the reader is not
// ok, when the bytes are damaged.
void write_slots(ByteWriter &out, const SlotSet &set) noexcept;
void write_slots(ByteWriter &out, std::span<const SlotNo> slots) noexcept;
bool read_slots(ByteReader &in, SlotNo *slots, int count) noexcept;  // slots: kLimit elements suffice

void write_redirects(ByteWriter &out, std::span<const page::Redirect> redirects) noexcept;
bool read_redirects(ByteReader &in, page::Redirect *redirects, int count) noexcept;

// Freeze plans are grouped by what they write: one group serves all tuples that end up with the same header.
void write_freeze(ByteWriter &out, std::span<const page::FreezePlan> plans) noexcept;
bool read_freeze(ByteReader &in, page::FreezePlan *plans, int count) noexcept;

// How many bytes two rows have in common at either end; the ends never overlap in the shorter row.
struct CommonEnds {
    std::size_t prefix;
    std::size_t suffix;
};
CommonEnds common_ends(std::span<const char> a, std::span<const char> b) noexcept;

}  // namespace glassheap::wal
