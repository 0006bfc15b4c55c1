// Prints [pattern, name, "yes" | "no" | "bad"] for random pairs, as Go's path.Match answers.
package main

import (
	"encoding/json"
	"math/rand"
	"os"
	"path"
)

func main() {
	random := rand.New(rand.NewSource(7))
	patternParts := []string{"a", "b", "c", "/", "*", "**", "?", "[", "]", "^", "-", "\\", ".", "é", "€", "a", "b", "/", "[a-c]", "[^b]", "[^é-ω]"}
	nameParts := []string{"a", "b", "c", "/", "^", "-", "\\", ".", "é", "€", "*", "[", "]", "a", "b", "/"}
	text := func(parts []string, most int) string {
		out := ""
		for i := random.Intn(most) + 1; i > 0; i-- {
			out += parts[random.Intn(len(parts))]
		}
		return out
	}
	want := map[string]int{"yes": 400, "no": 300, "bad": 100}
	var cases [][3]string
	for len(cases) < 800 {
		pattern, name := text(patternParts, 7), text(nameParts, 6)
		matched, err := path.Match(pattern, name)
		answer := "no"
		if err != nil {
			answer = "bad"
		} else if matched {
			answer = "yes"
		}
		if want[answer] > 0 {
			want[answer]--
			cases = append(cases, [3]string{pattern, name, answer})
		}
	}
	json.NewEncoder(os.Stdout).Encode(cases)
}
