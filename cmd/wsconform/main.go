// Command wsconform, for now.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/autobahn"
)

func main() {
	u := flag.String("url", "", "")
	cs := flag.String("cases", "*", "")
	msgs := flag.Int("messages", 0, "")
	cmp := flag.String("cmp", "", "")
	orig := flag.Bool("orig", false, "")
	v := flag.Bool("v", false, "")
	cl := flag.String("client", "", "")
	flag.Parse()
	if *cl != "" {
		clientMain(*cl)
	}
	all, _ := autobahn.Cases(1)
	list, err := autobahn.Select(all, autobahn.Server, strings.Split(*cs, ","), nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	t, err := autobahn.ParseTarget(*u)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	start := time.Now()
	var want map[string][]string
	if *cmp != "" {
		b, _ := os.ReadFile(*cmp)
		json.Unmarshal(b, &want)
	}
	rs := autobahn.TestServer(context.Background(), t, list, &autobahn.Options{Messages: *msgs, OriginalGrading: *orig})
	count := map[string]int{}
	diff := 0
	for _, r := range rs {
		count[string(r.Behavior)+"/"+string(r.BehaviorClose)]++
		w, ok := want[r.Case.ID]
		if want != nil && ok && (w[0] != string(r.Behavior) || w[1] != string(r.BehaviorClose)) || want == nil && !r.Passes(true) || *v {
			diff++
			fmt.Println(r.Case.ID, r.Behavior, r.BehaviorClose, w, r.Reason, "|", r.ReasonClose, r.Ending.Violation, r.Ending.RanOut, r.TimeAlone, r.Duration)
			if *v {
				for _, e := range r.Log.Entries {
					fmt.Println("   ", e.At, e.Dir, e.Text, e.Hex)
				}
			}
		}
	}
	fmt.Println(len(rs), count, "differences", diff, time.Since(start))
}

func clientMain(addr string) {
	all, _ := autobahn.Cases(1)
	list, _ := autobahn.Select(all, autobahn.Client, nil, nil)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		panic(err)
	}
	done := make(chan string, 1)
	t := &autobahn.ClientTester{Cases: list, Options: &autobahn.Options{Messages: 10}, Report: func(a string) { done <- a }}
	go t.Serve(ln)
	for {
		a := <-done
		count := map[string]int{}
		for _, r := range t.Results(a) {
			count[string(r.Behavior)+"/"+string(r.BehaviorClose)]++
			if shown := 0; !r.Passes(true) && shown < 5 {
				shown++
				for _, e := range r.Log.Entries {
					fmt.Println("   ", e.At, e.Dir, e.Text, e.Hex)
				}
				fmt.Println(r.Case.ID, r.Behavior, r.BehaviorClose, r.Reason, "|", r.ReasonClose, r.Ending.Violation, r.Ending.RanOut, r.TimeAlone, r.Duration)
			}
		}
		fmt.Println(a, count)
	}
}
