package dev.flinch.sweep;

import java.util.Arrays;
import java.util.HexFormat;

/**
 * Identities of 128 bits, numbered in the order in which they came, and found again; two numbers of
 * 64 bits and about two places of 32 bits for each.
 */
final class IdentityTable {
  private static final HexFormat HEX = HexFormat.of();

  private long[] identities = new long[32];
  private int[] places = new int[64];
  private int size;

  int size() {
    return size;
  }

  /**
   * Finds an identity, or takes it in.
   *
   * @return its number; the size so far if it is new
   */
  int add(long high, long low) {
    int place = place(high, low);
    if (places[place] != 0) {
      return places[place] - 1;
    }
    if (2 * size == identities.length) {
      identities = Arrays.copyOf(identities, 2 * identities.length);
    }
    identities[2 * size] = high;
    identities[2 * size + 1] = low;
    places[place] = ++size;
    if (2 * size > places.length) {
      places = new int[2 * places.length];
      for (int i = 0; i < size; i++) {
        places[place(identities[2 * i], identities[2 * i + 1])] = i + 1;
      }
    }
    return size - 1;
  }

  /** The number of an identity, or −1. */
  int find(long high, long low) {
    return places[place(high, low)] - 1;
  }

  /** The number of an identity of hexadecimal digits, or −1. */
  int find(String identity) {
    if (identity.length() != NetworkIdentity.DIGITS
        || !identity.chars().allMatch(HexFormat::isHexDigit)) {
      return -1;
    }
    return find(
        HexFormat.fromHexDigitsToLong(identity, 0, 16),
        HexFormat.fromHexDigitsToLong(identity, 16, 32));
  }

  /** The hexadecimal digits of an identity. */
  String get(int number) {
    return HEX.toHexDigits(identities[2 * number]) + HEX.toHexDigits(identities[2 * number + 1]);
  }

  /** Where an identity is, or would be. Bits of a hash are as good as any. */
  private int place(long high, long low) {
    int mask = places.length - 1;
    int place = (int) high & mask;
    while (places[place] != 0) {
      int at = 2 * (places[place] - 1);
      if (identities[at] == high && identities[at + 1] == low) {
        return place;
      }
      place = (place + 1) & mask;
    }
    return place;
  }
}
