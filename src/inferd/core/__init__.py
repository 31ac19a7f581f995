"""The vocabulary: frozen structs and protocols that every floor speaks. No I/O."""
