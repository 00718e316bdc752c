/* net_loss.h — an exact test of how much accuracy early answers give up. Pure.
 *
 * Of n rows, `n_losses` are right at the end but wrong early, `n_wins` the other way
 * round. The net loss is P(loss) - P(win): the full model's accuracy minus the early
 * one's. Its sampling law depends on a nuisance, the rate d of rows where the two differ:
 * d is bounded by an exact confidence limit, and the worst p-value within the limit, plus
 * what the limit may miss, is valid for every n (Berger and Boos, J. Am. Stat. Assoc. 89,
 * 1994). */
#ifndef AL_EXIT_NET_LOSS_H
#define AL_EXIT_NET_LOSS_H

#include <stdint.h>

/* Upper bound of the p-value of "the net loss is at least max_loss", within some 2 % where
 * it is above 2 * miss: reject when it is at most the significance. `miss` > 0, fixed
 * before the data are seen and well below the significance, is the probability with which
 * the limit on d may fail. n_losses + n_wins <= n; 0 < max_loss < 1. */
double al_net_loss_p_value(uint64_t n, uint64_t n_losses, uint64_t n_wins,
                           double max_loss, double miss);

/* 95 % interval of the net loss for reports: Agresti and Min, Statistics in Medicine 24
 * (2005), half a row added to each kind of difference. [-1, 1] for n = 0. */
void al_net_loss_interval(uint64_t n, uint64_t n_losses, uint64_t n_wins, double *ret_low,
                          double *ret_high);

#endif
