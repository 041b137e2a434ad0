package markdown

// ShownHost is shownHost for a label that may hold data.
func ShownHost(label, address string, foreign, data bool) string {
	n := &Node{Kind: KindLink, Target: address, Foreign: foreign}
	if data {
		n.first = &Node{Kind: KindData, Text: label}
	}
	return shownHost(n, label)
}

var (
	Simple     = simple
	ClusterLen = clusterLen
	Columns    = columns
	FindURL    = findURL
)
