package dev.flinch.report;

import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The settings that figures over all hyper-parameters show (Novak et al., §4): those with true
 * labels whose networks all classify everything they were trained on. Networks that were not
 * trained to the end count for nothing (§A.5).
 *
 * @param settings in an order that tells nothing
 * @param reasons how many networks are left out and why
 */
record AccurateSettings(List<Setting> settings, List<String> reasons) {
  /** Those of some networks. */
  static AccurateSettings of(List<NetworkRow> rows) {
    List<NetworkRow> finished = rows.stream().filter(Setting::finished).toList();
    List<NetworkRow> taught =
        finished.stream().filter(row -> !"random".equals(row.text(Column.LABELS))).toList();
    List<Setting> settings =
        Setting.of(taught).stream().filter(setting -> setting.all(Setting::accurate)).toList();
    List<String> reasons = new ArrayList<>();
    add(reasons, taught.size() - networks(settings), "of settings short of train accuracy 1");
    add(reasons, finished.size() - taught.size(), "with random labels");
    add(reasons, rows.size() - finished.size(), "not trained to the end");
    return new AccurateSettings(settings, reasons);
  }

  /** The same with no networks but those that have a value of each of some measures. */
  AccurateSettings having(Column... measures) {
    List<Setting> measured = new ArrayList<>();
    for (Setting setting : settings) {
      List<NetworkRow> networks =
          setting.all(row -> hasAll(row, measures))
              ? setting.networks()
              : setting.networks().stream().filter(row -> hasAll(row, measures)).toList();
      if (!networks.isEmpty()) {
        measured.add(new Setting(setting.key(), networks));
      }
    }
    List<String> more = new ArrayList<>(reasons);
    add(more, networks() - networks(measured), "without a value");
    return new AccurateSettings(measured, more);
  }

  private static boolean hasAll(NetworkRow row, Column... measures) {
    for (Column measure : measures) {
      if (row.get(measure) == null) {
        return false;
      }
    }
    return true;
  }

  private static void add(List<String> reasons, int networks, String why) {
    if (networks > 0) {
      reasons.add(String.format(Locale.ROOT, "%,d %s", networks, why));
    }
  }

  int networks() {
    return networks(settings);
  }

  private static int networks(List<Setting> settings) {
    return settings.stream().mapToInt(setting -> setting.networks().size()).sum();
  }

  /** What is left out, in a sentence; empty if nothing. */
  String leftOut() {
    return reasons.isEmpty() ? "" : "Networks left out: " + String.join(", ", reasons) + ".";
  }
}
