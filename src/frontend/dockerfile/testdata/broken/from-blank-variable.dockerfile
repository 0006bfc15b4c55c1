FROM $base
