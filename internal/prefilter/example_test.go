package prefilter_test

import (
	"fmt"
	"regexp"

	"github.com/starlingbot/starling/internal/prefilter"
)

func ExampleSet() {
	exprs := []string{`(?i)^deploy\s+(\S+)$`, `(?i)^deploy\s+(\S+) to prod$`, `what time is it`}
	set, err := prefilter.New(exprs)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range set.Candidates(nil, "Deploy web") {
		fmt.Println(i, regexp.MustCompile(exprs[i]).MatchString("Deploy web"))
	}
	// Output: 0 true
}

func ExampleCheck() {
	fmt.Println(prefilter.Check(`deploy (\S+`))
	// Output: pattern "deploy (\\S+": missing closing ): balance the parentheses, or write \( and \) for the characters themselves
}
