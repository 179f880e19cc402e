"""Works that a methods paragraph cites, by the words of the citation."""

from __future__ import annotations

WORKS = {
    "Riedel": "Riedel, Individual Research Module, University of Potsdam and Charité, github.com/laura-riedel/IM",
    "Kingma and Ba 2015": "Kingma & Ba (2015), Adam: a method for stochastic optimization, doi "
    "10.48550/arXiv.1412.6980",
    "Loshchilov and Hutter 2019": "Loshchilov & Hutter (2019), Decoupled weight decay regularization, doi "
    "10.48550/arXiv.1711.05101",
    "Popov et al. 2024": "Popov et al. (2024), A simple but tough-to-beat baseline for fMRI time-series "
    "classification, doi 10.1016/j.neuroimage.2024.120909",
    "Wang et al. 2017": "Wang, Yan & Oates (2017), Time series classification from scratch with deep neural networks, "
    "doi 10.1109/IJCNN.2017.7966039",
    "Yun et al. 2019": "Yun et al. (2019), CutMix, doi 10.48550/arXiv.1905.04899",
    "Polyak and Juditsky 1992": "Polyak & Juditsky (1992), Acceleration of stochastic approximation by averaging, doi "
    "10.1137/0330046",
    "Varoquaux et al. 2010": "Varoquaux et al. (2010), Detection of brain functional-connectivity difference in "
    "post-stroke patients using group-level covariance modeling, doi 10.1007/978-3-642-15705-9_25",
    "Dempster et al. 2020": "Dempster, Petitjean & Webb (2020), ROCKET: exceptionally fast and accurate time series "
    "classification using random convolutional kernels, doi 10.1007/s10618-020-00701-z",
    "He et al. 2020": "He et al. (2020), Deep neural networks and kernel regression achieve comparable accuracies for "
    "functional connectivity prediction of behavior and demographics, doi 10.1016/j.neuroimage.2019.116276",
    "Johnson et al. 2007": "Johnson, Li & Rabinovic (2007), Adjusting batch effects in microarray expression data "
    "using empirical Bayes methods, doi 10.1093/biostatistics/kxj037",
    "Fortin et al. 2018": "Fortin et al. (2018), Harmonization of cortical thickness measurements across scanners and "
    "sites, doi 10.1016/j.neuroimage.2017.11.024",
    "Efron and Tibshirani 1993": "Efron & Tibshirani (1993), An introduction to the bootstrap, doi "
    "10.1201/9780429246593",
    "de Lange et al. 2022": "de Lange et al. (2022), Mind the gap: performance metric evaluation in brain-age "
    "prediction, doi 10.1002/hbm.25837",
    "Lei et al. 2018": "Lei et al. (2018), Distribution-free predictive inference for regression, doi "
    "10.1080/01621459.2017.1307116",
    "Beheshti et al. 2019": "Beheshti et al. (2019), Bias-adjustment in neuroimaging-based brain age frameworks, doi "
    "10.1016/j.nicl.2019.102063",
    "Cole et al. 2018": "Cole et al. (2018), Brain age predicts mortality, doi 10.1038/mp.2017.62",
    "de Lange and Cole 2020": "de Lange & Cole (2020), Commentary: correction procedures in brain-age prediction, doi "
    "10.1016/j.nicl.2020.102229",
    "Le et al. 2018": "Le et al. (2018), A nonlinear simulation framework supports adjusting for age when analyzing "
    "BrainAGE, doi 10.3389/fnagi.2018.00317",
    "Freedman and Lane 1983": "Freedman & Lane (1983), A nonstochastic interpretation of reported significance levels, "
    "doi 10.1080/07350015.1983.10509354",
    "Hedges 1981": "Hedges (1981), Distribution theory for Glass's estimator of effect size and related estimators, "
    "doi 10.3102/10769986006002107",
    "Long and Ervin 2000": "Long & Ervin (2000), Using heteroscedasticity consistent standard errors in the linear "
    "regression model, doi 10.1080/00031305.2000.10474549",
    "Benjamini and Hochberg 1995": "Benjamini & Hochberg (1995), Controlling the false discovery rate, doi "
    "10.1111/j.2517-6161.1995.tb02031.x",
}
